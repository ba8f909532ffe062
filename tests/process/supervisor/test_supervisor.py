"""A supervisor and its engine processes: start, answers, death, stop. fake_engine.py plays the engines."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import time

from tests.process.supervisor.conftest import Pod, is_running


def test_it_answers_for_all_its_engines_and_ends_cleanly(pod: Pod) -> None:
    """Two engines: one /metrics with a `process` label, /status added up, ready; SIGTERM ends all with 0."""
    pod.start(processes=2, processors=["orders"])
    pod.until_ready()
    given = sorted(json.loads(path.read_text())["process"] for path in pod.lives.iterdir())
    assert given == [0, 1]
    first = json.loads(next(pod.lives.glob("0.*")).read_text())
    assert first == {"app": first["app"], "processors": ["orders"], "process": 0, "processes": 2}

    _, text = pod.get("/metrics")
    assert text.count("# TYPE penstock_records_total counter") == 1
    assert 'penstock_records_total{process="0",outcome="emitted",processor="orders"} 10' in text
    assert 'penstock_records_total{process="1",outcome="emitted",processor="orders"} 20' in text
    assert 'penstock_supervisor_engines{process="supervisor",state="ready"} 2.0' in text
    assert 'process_cpu_seconds_total{process="supervisor"}' in text

    status = json.loads(pod.get("/status")[1])
    (orders,) = status["processors"]
    assert (orders["emitted"], orders["assigned"], orders["lag"], orders["state"]) == (30, 4, 10, "STARTED")
    assert [process["health"] for process in status["processes"]] == ["ready", "ready"]
    assert pod.get("/livez")[0] == 200
    assert pod.get("/nothing")[0] == 404

    pod.process.terminate()
    assert pod.exit_code() == 0
    assert len(list(pod.lives.glob("*.ended"))) == 2, "each engine was told to stop and ended by itself"
    assert not pod.address_file.exists()
    assert pod.logged("supervisor ended")[0]["exit_code"] == 0


def test_an_engine_that_dies_is_started_again(pod: Pod) -> None:
    """kill -9 of one of two: the pod is not ready while it is away, counts it, and is ready again."""
    pod.start(processes=2, timing={"restart_base": 3.0})  # so long is it seen to be away
    pod.until_ready()
    (killed,) = pod.pids(1)
    os.kill(killed, signal.SIGKILL)
    pod.until(lambda: "engine 1 is not running, it ended" in pod.get("/readyz")[1], "not being ready")
    assert pod.get("/livez")[0] == 200, "a pod that restarts an engine is alive"
    pod.until_ready()
    assert len(pod.pids(0)) == 1
    assert len(pod.pids(1)) == 2
    assert 'penstock_supervisor_engine_restarts_total{process="supervisor"} 1.0' in pod.get("/metrics")[1]
    assert pod.logged("engine ended unasked")[0]["exit_code"] == -signal.SIGKILL


def test_an_engine_that_dies_again_and_again_waits_longer_each_time(pod: Pod) -> None:
    """The back-off doubles, and a stop during it ends the supervisor at once."""
    pod.start("die", timing={"restart_base": 0.05, "restart_cap": 60.0})
    deaths = pod.until(lambda: len(found := pod.logged("engine ended unasked")) >= 4 and found, "four deaths")
    delays = [death["restart_in_seconds"] for death in deaths[:4]]
    assert delays == [0.05, 0.1, 0.2, 0.4]
    assert {death["exit_code"] for death in deaths} == {3}
    pod.process.terminate()
    assert pod.exit_code() == 0


def test_bad_input_is_reported_once_and_ends_all_with_2(pod: Pod) -> None:
    """Four engines would all refuse the same app folder; one is asked, and what it says is shown once."""
    pod.start("refuse", processes=4)
    assert pod.exit_code() == 2
    assert pod.log.read_text().count("pipeline[0]: no such stage") == 1
    assert len(pod.pids()) == 1


def test_an_engine_that_does_not_end_is_killed_after_the_drain(pod: Pod) -> None:
    """drain + margin after SIGTERM: kill -9, and the exit code says that it was not clean."""
    pod.start("hang", timing={"drain": 0.3, "kill_margin": 0.2})
    pod.until_ready()
    stopped = time.monotonic()
    pod.process.terminate()
    assert pod.exit_code() == 1
    assert time.monotonic() - stopped >= 0.5
    assert not pod.running()
    assert pod.logged("killing engine")[0]["reason"] == "not ended 0.5 s after the stop"


def test_a_second_signal_kills_at_once(pod: Pod) -> None:
    """Somebody who presses Ctrl-C twice does not wait for the drain; between the two the pod is not ready."""
    pod.start("hang", timing={"drain": 600.0})
    pod.until_ready()
    pod.process.send_signal(signal.SIGINT)
    pod.until(lambda: json.loads(pod.get("/readyz")[1] or "{}").get("reasons") == ["stopping"], "stopping")
    pod.process.send_signal(signal.SIGINT)
    assert pod.exit_code() == 1
    assert not pod.running()


def test_ctrl_c_in_a_terminal_reaches_the_supervisor_alone(pod: Pod) -> None:
    """A terminal signals the whole group: the engines are not in it, drain, and end cleanly."""
    pod.start(processes=2)
    pod.until_ready()
    os.killpg(pod.process.pid, signal.SIGINT)
    assert pod.exit_code() == 0
    assert len(list(pod.lives.glob("*.ended"))) == 2


def test_no_engine_outlives_a_killed_supervisor(pod: Pod) -> None:
    """kill -9 of the supervisor closes the pipes; each engine sees the end of its stdin, drains and ends."""
    pod.start(processes=2)
    pod.until_ready()
    pod.process.kill()
    pod.until(lambda: len(list(pod.lives.glob("*.ended"))) == 2, "the end of both engines")
    assert pod.exit_code() == -signal.SIGKILL


def test_a_busy_port_is_told_clearly_and_nothing_is_started(pod: Pod) -> None:
    """Exit 1, with the address and what to do."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        pod.start(metrics_port=port)
        assert pod.exit_code() == 1
    (failed,) = pod.logged("supervisor failed")
    assert re.match(rf"serving metrics on 127\.0\.0\.1:{port}: .*in use; name another port", failed["reason"])
    assert not pod.pids()
    assert "Traceback" not in pod.log.read_text()


def test_a_silent_engine_fails_livez_and_is_then_killed_and_started_again(pod: Pod) -> None:
    """An engine that hangs is found by its silence: first by the probe, then by the supervisor itself."""
    pod.start("silent", timing={"silent_after": 0.3, "kill_silent_after": 2.0})
    answer = pod.until(lambda: (found := pod.get("/livez"))[0] == 503 and found, "a failing /livez")
    assert "has said nothing for" in answer[1]
    pod.until(lambda: "has said nothing for" in pod.get("/readyz")[1], "not being ready for it")
    pod.until(lambda: len(pod.pids(0)) >= 2, "a second life")
    assert pod.logged("killing engine")


def test_lines_that_are_no_status_are_counted_and_do_no_harm(pod: Pod) -> None:
    """No JSON, no fields, 8 MiB without a line feed, samples that are none: the next status counts."""
    pod.start("junk")
    pod.until_ready()
    pod.until(lambda: '"emitted": 10' in pod.get("/status")[1], "the good status")
    _, text = pod.get("/metrics")
    assert 'penstock_supervisor_lines_refused_total{process="supervisor",reason="not_a_status"} 2.0' in text
    assert 'penstock_supervisor_lines_refused_total{process="supervisor",reason="too_long"} 1.0' in text
    assert "0bad" not in text
    assert len(pod.pids()) == 1


def test_an_engine_that_cannot_be_started_is_tried_again(pod: Pod) -> None:
    """No such program: not ready, said in the log each time, and the supervisor can still be stopped."""
    pod.start(command=["/nonexistent/penstock-engine"])
    pod.until(lambda: len(pod.logged("engine not started")) >= 2, "two tries")
    assert pod.get("/readyz") == (503, '{"ready": false, "reasons": ["engine 0 is not running"]}\n')
    pod.process.terminate()
    assert pod.exit_code() == 0


def test_a_grandchild_that_holds_the_pipe_does_not_hide_an_engines_death(pod: Pod) -> None:
    """A function worker may outlive its engine for a moment: the engine is started again all the same."""
    pod.start("leave-a-grandchild")
    try:
        pod.until(lambda: len(pod.pids(0)) >= 2, "a second life")
    finally:
        for pid in {int(text) for text in (pod.lives / "grandchildren").read_text().split()}:
            if is_running(pid):
                os.kill(pid, signal.SIGKILL)
