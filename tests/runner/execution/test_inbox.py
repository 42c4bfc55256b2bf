"""Calls that are left by one thread and made by another."""

import threading
import time

import pytest

from runner.execution.inbox import Inbox


def test_calls_of_any_thread_are_made_in_their_order_by_the_one_that_asks():
    inbox, made = Inbox(), []
    note = lambda number: made.append((number, threading.current_thread()))  # noqa: E731
    for number in range(3):
        thread = threading.Thread(target=inbox.leave, args=(note, number))
        thread.start()
        thread.join()
    assert made == []
    inbox.make_calls(0.0)
    assert made == [(number, threading.current_thread()) for number in range(3)]


def test_the_first_call_is_waited_for_and_no_longer_than_asked():
    inbox, made = Inbox(), []
    inbox.make_calls(0.01)
    threading.Timer(0.2, inbox.leave, (made.append, 1)).start()
    start = time.monotonic()
    inbox.make_calls(60.0)
    assert made == [1] and time.monotonic() - start < 60


def test_an_interrupt_loses_no_call(monkeypatch):
    inbox, made = Inbox(), []
    inbox.leave(made.append, 1)

    class Swallows:
        def get(self, timeout):
            bell.get(timeout=timeout)
            raise KeyboardInterrupt

    bell = inbox._bell
    monkeypatch.setattr(inbox, "_bell", Swallows())
    with pytest.raises(KeyboardInterrupt):
        inbox.make_calls(1.0)
    monkeypatch.setattr(inbox, "_bell", bell)
    inbox.make_calls(0.0)
    assert made == [1]
