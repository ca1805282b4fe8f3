"""A job's trace as people read it."""

from infra.traces.__main__ import main
from infra.traces.spans import Span, append, of_job, read
from infra.traces.tree import lines

T0 = 1_795_856_540_000_000_000
MS = 1_000_000


def a_span(number, name, *, parent=0, at_ms=0, took_ms=1, job="job_1", trace="a" * 32, **more):
    return Span(
        trace_id=trace,
        span_id=f"{number:016x}",
        parent_id=f"{parent:016x}" if parent else "",
        name=name,
        service=more.pop("service", "poll_tick"),
        kind="CLIENT",
        began_ns=T0 + at_ms * MS,
        ended_ns=T0 + (at_ms + took_ms) * MS,
        facts={"renderrelay.job_id": job, **more.pop("facts", {})},
        error=more.pop("error", ""),
    )


JOB = [
    a_span(4, "deliver", parent=3, at_ms=2600, took_ms=9),
    a_span(1, "create job", parent=99, took_ms=38, service="jobs_api"),
    a_span(3, "publish event", parent=1, at_ms=2500, error="PublishFailed"),
    a_span(2, "submit", parent=1, at_ms=400, facts={"renderrelay.attempt": 1}),
]


def test_steps_stand_below_what_they_belong_to_in_the_order_in_which_they_began():
    assert [" ".join(line.split()) for line in lines(JOB)] == [
        f"trace {'a' * 32}, within the caller's span {99:016x}",
        "at took",
        "0.000 s 38 ms create job jobs_api",
        "0.400 s 1 ms submit poll_tick attempt=1",
        "2.500 s 1 ms publish event poll_tick ERROR PublishFailed",
        "2.600 s 9 ms deliver poll_tick",
    ]
    indents = [line.index(line.split()[4]) for line in list(lines(JOB))[2:]]
    assert indents == [indents[0], indents[0] + 2, indents[0] + 2, indents[0] + 4]


def test_a_jobs_trace_is_without_the_other_jobs_in_it():
    other = [
        a_span(5, "submit", job="job_2"),
        a_span(6, "submit", job="job_2", trace="b" * 32),
    ]

    assert of_job([*JOB, *other], "job_1") == JOB
    assert len(of_job([*JOB, *other], "job_2")) == 2


def test_what_was_collected_is_shown(tmp_path, capsys, monkeypatch):
    file = tmp_path / "traces.jsonl"
    append(file, JOB)
    monkeypatch.setattr("sys.argv", ["traces", "show", "job_1", "--file", str(file)])

    assert main() == 0
    assert capsys.readouterr().out.splitlines() == list(lines(JOB))


def test_a_job_that_was_not_traced_is_said_to_have_none(tmp_path, capsys, monkeypatch):
    file = tmp_path / "none"
    monkeypatch.setattr("sys.argv", ["traces", "show", "job_9", "--file", str(file)])

    assert main() == 1
    assert capsys.readouterr().err == f"no trace of job_9 in {file}\n"


def test_a_line_that_is_still_being_written_is_not_read(tmp_path):
    file = tmp_path / "traces.jsonl"
    append(file, JOB)
    with file.open("a") as half:
        half.write('{"trace_id": "a')

    assert read(file) == JOB
