"""One request's synchronous code: one thread, taken late, given back early and clean."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from sqlite3 import ProgrammingError
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import connection, connections, transaction

from onloop.asgi.thread_pool import SyncThreads
from onloop.asgi.threads import RequestThread

User = get_user_model()


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


def test_calls_of_one_request_run_on_one_thread(pool: ThreadPoolExecutor) -> None:
    thread = RequestThread(pool)
    taken = [thread.taken]
    first = thread.submit(threading.get_ident).result()
    taken.append(thread.taken)
    assert first == thread.submit(threading.get_ident).result() != threading.get_ident()
    thread.release()
    taken.append(thread.taken)
    assert taken == [False, True, False]


def test_the_next_request_waits_for_the_thread_and_reuses_it(pool: ThreadPoolExecutor) -> None:
    first, second = RequestThread(pool), RequestThread(pool)
    held = first.submit(threading.get_ident).result()
    waiting = second.submit(threading.get_ident)
    assert first.submit(threading.get_ident).result() == held
    assert not waiting.done()
    assert not second.taken
    first.release()
    assert waiting.result(10) == held
    second.release()


def test_a_request_that_gives_up_waiting_takes_no_thread(pool: ThreadPoolExecutor) -> None:
    first, second = RequestThread(pool), RequestThread(pool)
    first.submit(int).result()
    given_up = second.submit(pytest.fail, "was called all the same")
    assert given_up.cancel()
    second.release()
    first.release()
    third = RequestThread(pool)
    assert third.submit(str, "next").result(10) == "next"
    third.release()


def test_an_exception_goes_to_the_caller_and_the_thread_goes_on(pool: ThreadPoolExecutor) -> None:
    thread = RequestThread(pool)
    with pytest.raises(ValueError, match="invalid literal"):
        thread.submit(int, "x").result()
    assert thread.submit(int, "1").result() == 1
    thread.release()


def test_release_without_a_thread_is_nothing(pool: ThreadPoolExecutor) -> None:
    RequestThread(pool).release()


def test_calls_after_the_end_take_a_thread_as_long_as_there_are_any(
    pool: ThreadPoolExecutor,
) -> None:
    thread = RequestThread(pool)
    thread.submit(int).result()
    thread.end()
    go = threading.Event()
    thread.submit(go.wait, 10)
    given_up, one, other = (thread.submit(threading.get_ident) for _ in range(3))
    next_in_line = pool.submit(threading.get_ident)
    given_up.cancel()
    assert not next_in_line.done()
    go.set()
    assert one.result(10) == other.result(10) == next_in_line.result(10)
    assert not thread.taken
    assert thread.submit(str, "again").result(10) == "again"


def test_calls_at_and_after_the_end_are_all_made(pool: ThreadPoolExecutor) -> None:
    thread = RequestThread(pool)
    go = threading.Event()
    before = thread.submit(go.wait, 10)
    thread.end()
    after = thread.submit(str, "after")
    go.set()
    assert before.result(10)
    assert after.result(10) == "after"
    thread.release()


@pytest.mark.django_db(transaction=True)
class TestConnections:
    """What one request leaves in its thread's database connection, the next must not find."""

    def between_two_requests(self, pool: ThreadPoolExecutor, use: Callable[[], object]) -> None:
        for call in (use, connections_are_new):
            thread = RequestThread(pool)
            done: Future[object] = thread.submit(call)
            thread.release()
            done.result(10)

    def test_closed(self, pool: ThreadPoolExecutor) -> None:
        self.between_two_requests(pool, User.objects.count)

    def test_closed_after_a_call_that_outlived_its_request(self, pool: ThreadPoolExecutor) -> None:
        thread = RequestThread(pool)
        thread.end()
        assert thread.submit(User.objects.count).result(10) == 0
        pool.submit(connections_are_new).result(10)

    def test_closed_in_the_middle_of_a_transaction(self, pool: ThreadPoolExecutor) -> None:
        def enter() -> None:
            transaction.atomic().__enter__()
            User.objects.create_user("ada")
            opened.append(connection.connection)

        opened: list[Any] = []
        self.between_two_requests(pool, enter)
        assert not User.objects.exists()
        with pytest.raises(ProgrammingError, match="closed"):
            opened[0].cursor()

    def test_forgotten_and_logged_if_it_does_not_close(
        self,
        pool: ThreadPoolExecutor,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        def break_connection() -> None:
            User.objects.count()
            close, wrapper = connection.connection.close, connections["default"]

            def broken() -> None:
                close()
                raise OSError("the network is gone")

            monkeypatch.setattr(wrapper, "_close", broken)

        self.between_two_requests(pool, break_connection)
        assert "A request's connection to 'default' did not close." in caplog.text
        assert "the network is gone" in caplog.text

    def test_kept_as_long_as_conn_max_age_says(
        self, pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(connection.settings_dict, "CONN_MAX_AGE", 600)
        used: list[object] = []

        def use() -> None:
            connection.force_debug_cursor = True
            assert not connection.queries
            User.objects.count()
            used.append(connection.connection)

        for _ in range(2):
            thread = RequestThread(pool)
            done = thread.submit(use)
            thread.release()
            done.result(10)
        pool.submit(connections.close_all).result(10)
        assert used[0] is used[1]


def connections_are_new() -> None:
    assert connections.all(initialized_only=True) == []
    assert connection.connection is None


def test_pool_goes_on_after_a_call_that_fails_and_one_that_is_given_up() -> None:
    threads = SyncThreads(1)
    go = threading.Event()
    failing = threads.submit(lambda: int("x") if go.wait(10) else None)
    given_up = threads.submit(pytest.fail, "was called all the same")
    assert given_up.cancel()
    go.set()
    with pytest.raises(ValueError, match="invalid literal"):
        failing.result(10)
    assert threads.submit(str, "next").result(10) == "next"


def test_waiting_thread_lets_another_one_run() -> None:
    threads = SyncThreads(1)
    go = threading.Event()
    first = threads.submit(go.wait, 10)
    with threads.one_waiting():
        second = threads.submit(threading.get_ident)
        assert second.result(10) != threading.get_ident()
        third = threads.submit(go.wait, 10)
    fourth = threads.submit(str, "fourth")
    go.set()
    assert first.result(10)
    assert third.result(10)
    assert fourth.result(10) == "fourth"
