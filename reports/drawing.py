"""Specifications to SVG with vl-convert: in this process, or side by side in processes of their own.

vl-convert holds the interpreter's lock while it draws, so threads would gain nothing.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache
from queue import SimpleQueue
from typing import IO, Any, TypeAlias

WORKERS = 2  # which draw as fast as a third process builds charts
SLACK = 14  # pixels beside a chart with names at its sides: a reader's font may be wider than ours
# Of 50 ms that a chart takes, 40 go into measuring text, one millisecond each time; no number is cut off.
SHORT_LABELS = {"axisQuantitative": {"labelLimit": 0}}
_LONG = re.compile(r"-?\d+\.\d{2,}(?:e-?\d+)?")
_NOISE = re.compile(
    r'<path class="(?:background|foreground)"[^>]*/>'
    r'| (?:role|aria-[a-z]+|pointer-events|font-family|opacity)="(?:1|none|[^"0]*)"'
    r'|<rect [^>]*fill="transparent"/>'
    r'| stroke-width="0"| class="mark-[a-z]+ role-mark[^"]*"'
)
_ALIKE = re.compile(r'<path d="[^"]*Z("[^>]*/>)(?:<path d="[^"]*Z\1)+')
# The path comes as arguments, so that a folder where a user happens to be can't shadow our modules.
_SERVE = "import sys; sys.path[:] = sys.argv[1:]; from reports.drawing import serve; serve()"
Worker: TypeAlias = "subprocess.Popen[str]"


def draw(spec: Mapping[str, Any]) -> str:
    """An SVG for a page, without what a page doesn't want in it."""
    import vl_convert

    drawn: str = vl_convert.vegalite_to_svg({**spec, "config": spec["config"] | SHORT_LABELS})
    start = drawn.index(">") + 1
    box = re.search(r'viewBox="([^"]+)"', drawn[:start])
    left, top, width, height = map(float, (box.group(1) if box else "0 0 400 300").split())
    if spec.get("usermeta", {}).get("fluid"):
        left, width = left - SLACK, width + 2 * SLACK
    view = f"{left:g} {top:g} {width:g} {height:g}"
    body = _NOISE.sub("", drawn[start:])
    body = re.sub(r' (d|transform)="[^"]*"', lambda found: _LONG.sub(_short, found.group(0)), body)
    body = _ALIKE.sub(_one_path, body)
    return f'<svg viewBox="{view}" class="chart" aria-hidden="true" focusable="false">{body}'


def submit(spec: Mapping[str, Any]) -> Future[str]:
    """Begin to draw in another process, or in this one where there is no second core or none can start."""
    return _submitted(json.dumps(spec, separators=(",", ":")))


def prepare() -> None:
    """Start the processes that draw, which takes them half a second, if they aren't there yet."""
    _pool()


def serve() -> None:
    """Draw each line of standard input, a specification as JSON, and answer with the SVG as a JSON string."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that asks, whose end is ours
    answers, sys.stdout = sys.stdout, sys.stderr
    draw({"mark": "text", "data": {"values": [{}]}, "config": {}})  # the first takes as long as ten others
    for line in sys.stdin:
        answers.write(json.dumps(draw(json.loads(line))) + "\n")
        answers.flush()


@lru_cache(maxsize=4)  # the Markdown's charts stand on the first page too
def _submitted(line: str) -> Future[str]:
    pool, workers = _pool()
    return pool.submit(_ask, workers, line)


def _ask(workers: SimpleQueue[Worker | None], line: str) -> str:
    """Have a worker draw; once it fails, this process draws in its place."""
    worker = workers.get()
    try:
        if worker is not None:
            into, out = _pipes(worker)
            into.write(line + "\n")
            into.flush()
            return str(json.loads(out.readline()))
    except (OSError, ValueError):  # it has ended: a broken pipe, or no answer
        _end(worker)
        worker = None
    finally:
        workers.put(worker)
    return draw(json.loads(line))


@lru_cache(maxsize=1)
def _pool() -> tuple[ThreadPoolExecutor, SimpleQueue[Worker | None]]:
    """As many threads as there are workers, and the workers that aren't at work."""
    count = WORKERS if _cores() > 1 else 0
    workers: SimpleQueue[Worker | None] = SimpleQueue()
    for _ in range(max(count, 1)):
        workers.put(_started() if count else None)
    return ThreadPoolExecutor(max_workers=max(count, 1)), workers


def _started() -> Worker | None:
    command = [sys.executable, "-c", _SERVE, *sys.path]
    pipe = subprocess.PIPE
    try:
        worker = subprocess.Popen(command, stdin=pipe, stdout=pipe, encoding="utf-8")
    except OSError:
        return None
    atexit.register(_end, worker)
    return worker


def _end(worker: Worker | None) -> None:
    if worker is not None:
        worker.kill()
        worker.wait()
        for pipe in _pipes(worker):
            with contextlib.suppress(OSError):  # what it still held can't be written any more
                pipe.close()


def _pipes(worker: Worker) -> tuple[IO[str], IO[str]]:
    assert worker.stdin is not None and worker.stdout is not None
    return worker.stdin, worker.stdout


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _one_path(found: re.Match[str]) -> str:
    """Closed shapes of one look, such as a matrix's cells, as one path: a tenth of the bytes."""
    shapes = "".join(re.findall(r'<path d="([^"]*)"', found.group(0)))
    return f'<path d="{shapes}{found.group(1)}'


def _short(found: re.Match[str]) -> str:
    return f"{float(found.group(0)):.1f}".removesuffix(".0")
