"""Which lines of the functions' logs want a person."""

import json

from infra.storm.observation import lines_about, unexpected_errors


def a_line(severity: str, message: str, **fields: str) -> str:
    return json.dumps({"severity": severity, "message": message, **fields})


def test_errors_are_found_but_for_those_that_the_storm_causes(tmp_path):
    log = tmp_path / "poll_tick-1.log"
    lines = [
        a_line("INFO", "job moved"),
        a_line("ERROR", "tick for no account"),
        a_line("ERROR", "job step broke"),
        a_line("WARNING", "poll not answered"),
        '{"severity": "ERROR", "mess',
    ]
    log.write_text("\n".join(lines))

    (found,) = unexpected_errors({"poll_tick-1": log, "never started": tmp_path / "none.log"})

    assert (found.process, json.loads(found.text)["message"]) == ("poll_tick-1", "job step broke")


def test_of_a_bare_traceback_the_error_itself_is_told(tmp_path):
    log = tmp_path / "jobs_api-1.log"
    log.write_text("Traceback (most recent call last):\n  File x\n    y\nValueError: no\nnext\n")

    assert [line.text for line in unexpected_errors({"jobs_api-1": log})] == ["ValueError: no"]


def test_what_is_said_of_a_job_is_found_in_every_log(tmp_path):
    logs = {name: tmp_path / f"{name}.log" for name in ("a", "b")}
    logs["a"].write_text(a_line("INFO", "job moved", job_id="job_1") + "\n")
    logs["b"].write_text(a_line("INFO", "job moved", job_id="job_2") + "\n")

    assert [line.process for line in lines_about("job_2", logs)] == ["b"]
