"""`python -m infra` lists every tool with what it does."""

from importlib.util import find_spec

from infra.__main__ import main, tools


def test_every_tool_is_listed_with_its_purpose_on_a_line(capsys):
    main()

    lines = capsys.readouterr().out.splitlines()
    assert {"infra.local", "infra.sandbox", "infra.simulator"} <= dict(tools()).keys()
    assert len(lines) == len(list(tools()))
    assert all(purpose for _, purpose in tools())


def test_every_tool_that_is_listed_can_be_run():
    for name, _ in tools():
        assert find_spec(f"{name}.__main__"), name
