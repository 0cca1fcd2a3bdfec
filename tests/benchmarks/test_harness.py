"""The benchmark's parsing, comparing and reporting. The contenders are not measured here."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from urllib.request import urlopen

import pytest

from benchmarks import load, proc, report
from benchmarks.fan_out import cost_work
from benchmarks.hedging import calls_of
from benchmarks.lineup import RENDERED, STOCK
from benchmarks.listeners import ANNOUNCEMENT, WELCOME, listen
from benchmarks.machine import installed_in, require_same
from benchmarks.requirements import AT_LEAST, AT_MOST, Requirement, requirements
from benchmarks.results import Figures, MeasurementError, Results, Spread, number, ratio
from benchmarks.run import Run
from benchmarks.throughput import HELLO, load_seconds
from benchmarks.upstream import Delays, upstream

WRK_OUTPUT = """\
Running 3s test @ http://127.0.0.1:8000/hello/
  1 threads and 8 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.06ms  212.00us   9.18ms   93.42%
    Req/Sec     7.60k   411.29     8.00k    86.67%
  Latency Distribution
     50%  950.00us
     75%    1.10ms
     90%    1.20ms
     99%    1.50s
  3000 requests in 3.00s, 5.10MB read
{extra}Requests/sec:   1000.00
Transfer/sec:      1.70MB
"""


def test_wrk_output_is_read_in_milliseconds() -> None:
    parsed = load.parse(WRK_OUTPUT.format(extra=""))
    assert (parsed.requests_per_second, parsed.errors) == (1000.0, 0)
    assert parsed.p50 == pytest.approx(0.95)
    assert parsed.p99 == 1500.0


def test_refused_and_lost_answers_are_errors_and_refused_ones_no_throughput() -> None:
    extra = "  Socket errors: connect 1, read 2, write 3, timeout 4\n"
    extra += "  Non-2xx or 3xx responses: 600\n"
    parsed = load.parse(WRK_OUTPUT.format(extra=extra))
    assert parsed.requests_per_second == 800.0
    assert parsed.errors == 610


def test_unreadable_wrk_output_is_named() -> None:
    with pytest.raises(MeasurementError, match="no such thing"):
        load.parse("no such thing")


def test_missing_wrk_error_explains_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(SystemExit, match="apt-get install wrk"):
        load.require_wrk()


@pytest.mark.parametrize(
    ("value", "shown"), [(12345.6, "12,346"), (678.0, "678"), (90.12, "90.1"), (1.0134, "1.013")]
)
def test_numbers_have_about_four_significant_digits(value: float, shown: str) -> None:
    assert number(value) == shown


def test_spread_is_median_and_range() -> None:
    assert str(Spread.of([3.0, 1.0, 2.0])) == "2 (1-3)"
    assert str(Spread.of([2.0])) == "2"


def test_ratio_is_computed_per_round() -> None:
    assert ratio([8.0, 30.0], [2.0, 10.0]) == Spread(3.5, 3.0, 4.0)


@pytest.mark.parametrize("denominators", [[], [1.0], [1.0, 0.0]])
def test_ratio_needs_every_round_of_both(denominators: list[float]) -> None:
    assert ratio([1.0, 2.0], denominators) is None


@pytest.mark.parametrize(
    ("comparison", "limit", "reached"),
    [(AT_LEAST, 2.0, "yes"), (AT_LEAST, 2.1, "no"), (AT_MOST, 2.0, "yes"), (AT_MOST, 1.9, "no")],
)
def test_requirement_compares_the_median(comparison: str, limit: float, reached: str) -> None:
    assert Requirement("", comparison, limit, Spread(2.0, 0.0, 9.0)).reached == reached


def test_unmeasured_requirement_is_not_reached() -> None:
    assert {requirement.reached for requirement in requirements(Results())} == {"not measured"}


def test_requirement_names_the_contender_that_failed() -> None:
    results = Results()
    results.add(HELLO, RENDERED.name, {"requests/s": 1.0})
    results.fail(HELLO, STOCK.name, "HTTP 500")
    assert requirements(results)[0].reached == "stock Django failed"


def test_rounds_are_interleaved_and_a_failing_contender_is_left_out(tmp_path: Path) -> None:
    measured = []

    def measure(name: str) -> Figures:
        measured.append(name)
        if name == "b":
            raise MeasurementError("HTTP 500")
        return {"requests/s": 1.0}

    run = Run(tmp_path, rounds=3, seconds=1)
    run.interleave("work", {name: lambda name=name: measure(name) for name in "abc"})  # type: ignore[misc]
    assert measured == ["a", "b", "c", "c", "a", "c", "a"]
    assert run.results.failures == {("work", "b"): "HTTP 500"}
    assert list(run.results.samples["work"]) == ["a", "b", "c"]


@pytest.mark.parametrize(("rate", "seconds"), [(1000.0, 3), (64.0, 10), (1.0, 15), (0.0, 15)])
def test_slow_servers_are_measured_longer(rate: float, seconds: int) -> None:
    assert load_seconds(rate, clients=64, seconds=3) == seconds


def test_upstream_returns_the_requested_task() -> None:
    with upstream() as url, urlopen(f"{url}?task_id=7") as answer:  # noqa: S310
        assert json.load(answer) == {"message": "Hello World!", "task_id": "7"}


def test_upstream_delays_every_nth_call_and_counts_calls() -> None:
    delays = Delays(0.0, slow=0.5, slow_every=3)
    assert [delays.next() for _ in range(6)] == [0.0, 0.0, 0.5, 0.0, 0.0, 0.5]
    with upstream() as url:
        for _ in range(3):
            urlopen(url).close()  # noqa: S310
        assert calls_of(url) == 3


def test_process_figures_count_threads_memory_and_processor_time() -> None:
    code = "import sys; sum(range(10**6)); print(flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert proc.threads(process.pid) == 1
        assert proc.resident_kib(process.pid) > 1000
        assert proc.cpu_seconds(process.pid) > 0
        process.communicate()


def test_streams_that_do_not_open_or_miss_the_event_are_not_counted(
    capsys: pytest.CaptureFixture[str],
) -> None:
    lives = iter([[], [WELCOME], [WELCOME, ANNOUNCEMENT * 2], [WELCOME, ANNOUNCEMENT]])

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.writelines(next(lives))
        writer.close()

    async def listen_to_server() -> None:
        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            await listen(server.sockets[0].getsockname()[1], 4)

    asyncio.run(listen_to_server())
    opened, heard = capsys.readouterr().out.splitlines()
    assert (opened.split()[0], heard) == ("3", "1")


def test_different_versions_are_refused_in_one_sentence() -> None:
    with pytest.raises(SystemExit, match=r"has httpx 1\.0, the benchmark's own environment 0\.9"):
        require_same({"httpx": "0.9"}, {"httpx": "1.0"})
    require_same({"httpx": "1.0", "aiohttp": "3.0"}, {"httpx": "1.0"})


def test_project_without_interpreter_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="render and install it first"):
        installed_in(tmp_path)


def test_report_has_figures_failures_requirements_and_a_chart(tmp_path: Path) -> None:
    run = Run(tmp_path, rounds=1, seconds=1)
    run.results.add(HELLO, RENDERED.name, {"requests/s": 800.0, "errors": 0.0})
    run.results.fail(HELLO, STOCK.name, "HTTP 500")
    run.results.add(cost_work(10, 0.0), RENDERED.name, {"CPU µs per call": 100.0})
    report.write(tmp_path / "docs", ["Machine: test"], run)
    page = (tmp_path / "docs" / "benchmarks.md").read_text()
    assert "| rendered project | 800 | 0 |" in page
    assert "| stock Django | failed: HTTP 500 |  |" in page
    assert "| hello: times stock Django | at least 7 | - | stock Django failed |" in page
    assert "![The main figures by contender](benchmarks.svg)" in page
    assert (tmp_path / "docs" / "benchmarks.svg").read_text().count("rendered project") >= 1
    assert "rendered project" in report.text(["Machine: test"], run.results)
