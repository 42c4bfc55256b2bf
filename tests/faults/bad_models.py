"""Models that do what models shouldn't, in `fit`; given to runs by file."""

import ctypes
import os
import signal
import sys
import time
from pathlib import Path

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin

HERE = Path(os.environ.get("BAD_MODELS", "."))  # where a model leaves a note that it has been here


class Base(ClassifierMixin, BaseEstimator):
    def __init__(self, random_state=None):
        self.random_state = random_state

    def fit(self, x, y):
        self.classes_ = np.unique(y)
        self.act()
        return self

    def predict_proba(self, x):
        return np.full((len(x), 2), 0.5)


class Once(Base):
    """Is killed the first time, as a short memory would have it, and not again."""

    def act(self):
        try:
            (HERE / "killed-once").touch(exist_ok=False)
        except FileExistsError:
            return
        os.kill(os.getpid(), signal.SIGKILL)


class Crash(Base):
    """Segmentation fault, at the second seed only."""

    def act(self):
        if self.random_state == 1:
            ctypes.string_at(0)


class Hang(Base):
    """Sleeps for ever, with a child that does, and doesn't listen to a polite request."""

    def act(self):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        child = os.fork()
        if child:
            (HERE / "child-of-hang").write_text(str(child))
        while True:
            time.sleep(1)


class Noisy(Base):
    """Prints half a megabyte, with a terminal's escape sequences in them."""

    def act(self):
        for line in range(3_000):
            print(line, "\x1b[31mnoise", "x" * 200)
        os.write(2, b"\xff\xfe no newline")


class Forks(Base):
    """Comes back twice."""

    def act(self):
        os.fork()


class Exits(Base):
    def act(self):
        sys.exit(3)


class Interrupts(Base):
    def act(self):
        raise KeyboardInterrupt


class Closes(Base):
    """Closes what it could print to, and goes on."""

    def act(self):
        os.close(1)
        os.close(2)


class Overflows(Base):
    def act(self):
        pass

    def predict_proba(self, x):
        return np.full((len(x), 2), 1e308) * 10


class NotNumbers(Base):
    def act(self):
        pass

    def predict_proba(self, x):
        return np.full((len(x), 2), np.nan)
