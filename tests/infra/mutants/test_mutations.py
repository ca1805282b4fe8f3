"""Which mutants are made, drawn and known."""

from textwrap import dedent

import pytest

from infra.mutants.mutations import (
    REMOVED,
    all_mutants,
    changed_lines,
    draw,
    mutants_of,
    read_equivalents,
    required_names,
)


def made(source, *, required=()):
    mutants = mutants_of("module.py", dedent(source), required=frozenset(required))
    return {(mutant.old, mutant.new) for mutant in mutants}


def new_lines(line, **options):
    return {new for old, new in made(line, **options) if old == line}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("a < b", {"a <= b", "a >= b"}),
        ("a >= b", {"a > b", "a < b"}),
        ("a == b != c", {"a != b != c", "a == b == c"}),
        ("a is None", {"a is not None"}),
        ("a is not None", {"a is None"}),
        ("a in b", {"a not in b"}),
        ("a not in b", {"a in b"}),
        ("not a", {"a"}),
        ("a and b", {"a or b", "(a)", "(b)"}),
        ("(a) or b", {"(a) and b", "(a)", "(b)"}),
        ("a + (b)", {"a - (b)"}),
        ("a // b", {"a * b"}),
        ('a + "text"', set()),
        ("min(a, b)", {"max(a, b)"}),
        ("all(a)", {"any(a)"}),
        ("f(-7)", {"f(-8)", "f(-6)"}),
        ("f(0.5)", {"f(1.0)", "f(0.25)"}),
        ("f(True)", {"f(False)"}),
        ("f(None)", {"f(object())"}),
        ("f('text', f'{1 + 1}')", set()),
        ("f(a, b=c)", {"f(a, )"}),
        ("f(b=c, d=e)", {"f(d=e)", "f(b=c, )"}),
    ],
)
def test_an_expression_has_these_mutants(line, expected):
    assert new_lines(f"x = {line}") == {f"x = {new}" for new in expected}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("f()", {"pass"}),
        ("raise Error", {"pass"}),
        ("del a[b]", {"pass"}),
        ("self.a = b", {"pass"}),
        ("a[b] = c", {"pass"}),
        ("a += b", {"pass", "a -= b"}),
        ("return", {"pass"}),
        ("return a", {"return None"}),
        ("return None", {"return object()"}),
        ("return False", {"return True"}),
        ("return a if b else c", {"return None", "return a if not (b) else c"}),
        ("return [a for a in b if a]", {"return None", "return [a for a in b if not (a)]"}),
        ("a = b", set()),
        ("assert_never(a)", set()),
        ("a = zip(b, c, strict=True)", set()),
        ("global a", set()),
    ],
)
def test_a_statement_has_these_mutants(line, expected):
    found = made(f"def function():\n    {line}\n")

    assert found == {(line, new) for new in expected}


def test_a_condition_is_negated_and_a_jump_removed():
    found = made("for a in b:\n    if a:\n        continue\n    if f(a):\n        break\n")

    assert found == {
        ("if a:", "if not (a):"),
        ("continue", "pass"),
        ("if f(a):", "if not (f(a)):"),
        ("break", "pass"),
    }


def test_a_keyword_on_a_line_of_its_own_is_removed_with_its_comma():
    found = made("x = replace(\n    job,\n    status=status,\n)\n", required=["status"])

    assert found == {("status=status,", REMOVED)}


def test_a_keyword_that_no_call_can_do_without_stays():
    assert new_lines("x = f(a=b, c=d)", required=["a"]) == {"x = f(a=b, )"}


def test_required_are_parameters_and_fields_without_a_default():
    source = """
        def function(a, b=1, *, c, d=2): ...
        class Thing:
            e: int
            f: int = 3
    """

    assert required_names(dedent(source)) == {"a", "c", "e"}


def test_a_multi_line_statement_is_one_mutant_and_reads_as_one_line():
    assert made("f(\n    a,\n    b,\n)\n") == {("f( a, b, )", "pass")}


def test_texts_logging_annotations_and_decorators_are_left_alone():
    source = '''
        """A module of 1 + 1."""
        log = getLogger("name")

        @decorated(frozen=True)
        class Thing:
            """Not 2."""
            field: Literal[1, None]

            def act(self, a: Annotated[int, 3]) -> Literal[4]:
                """If not 5."""
                log.info("done", extra={"fields": {"count": a + 6}})
    '''

    assert made(source) == set()


def test_code_after_letters_beyond_ascii_is_found():
    assert made('x = "äöü", a < b') == {
        ('x = "äöü", a < b', 'x = "äöü", a <= b'),
        ('x = "äöü", a < b', 'x = "äöü", a >= b'),
    }


def test_a_mutant_that_is_no_python_is_not_made():
    assert new_lines("x = f(*a if b else c)") == {"x = f(*a if not (b) else c)"}
    assert made("match a:\n    case None:\n        pass\n") == set()


def test_the_same_seed_draws_the_same_sample_and_another_one_another(project):
    mutants = all_mutants(project, only=[])

    assert len(mutants) == 9
    assert draw(mutants, count=4, seed=1) == draw(reversed(mutants), count=4, seed=1)
    assert len({tuple(draw(mutants, count=4, seed=seed)) for seed in range(9)}) > 1


def test_every_line_gets_a_mutant_before_any_gets_a_second_one(project):
    for seed in range(9):
        sample = draw(all_mutants(project, only=[]), count=2, seed=seed)

        assert len({mutant.path for mutant in sample}) == 2


def test_a_pattern_limits_the_sample_to_modules(project):
    mutants = all_mutants(project, only=["domain/*.py"])

    assert {mutant.path for mutant in mutants} == {"functions/relay/domain/ages.py"}


def test_changed_lines_are_those_of_the_diff_and_of_new_files(project):
    ages = project / "functions/relay/domain/ages.py"
    ages.write_text("import math\n\n" + ages.read_text())
    (project / "functions/relay/domain/new.py").write_text("a = 1\nb = 2\n")

    assert changed_lines(project, base="HEAD") == {
        ("functions/relay/domain/ages.py", 1),
        ("functions/relay/domain/ages.py", 2),
        ("functions/relay/domain/new.py", 1),
        ("functions/relay/domain/new.py", 2),
    }


def test_known_mutants_are_found_wherever_their_line_moves(project):
    known = read_equivalents(
        "# A comment.\n\n"
        "functions/relay/domain/ages.py\n- return age > 7\n+ return  age >= 7\n"
        "Nothing is ever\nexactly seven.\n"
    )
    ages = project / "functions/relay/domain/ages.py"
    ages.write_text("import math\n\n\n" + ages.read_text())

    found = [mutant for mutant in all_mutants(project, only=[]) if mutant.key in known]

    assert [(mutant.line, mutant.new) for mutant in found] == [(5, "return age >= 7")]
    assert list(known.values()) == ["Nothing is ever exactly seven."]


def test_a_known_mutant_without_a_reason_is_refused():
    with pytest.raises(ValueError, match="and a reason"):
        read_equivalents("functions/relay/domain/ages.py\n- a\n+ b\n")
