"""What docs/operations.md tells people to do is there to be done."""

import re
import runpy
import shlex
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from infra.bench.operations import INSTANCE, PUMP_INSTANCE, USD
from relay.domain.job import ErrorCode
from tests.terraform.hcl_files import declared, labelled, read_folder
from tests.terraform.running import ROOT, SOURCE

OPERATIONS = (ROOT / "docs" / "operations.md").read_text()
RUNBOOKS = {page.stem: page.read_text() for page in (ROOT / "docs" / "runbooks").glob("*.md")}
TEXT = "\n".join([OPERATIONS, *RUNBOOKS.values()])
FUNCTIONS = {"jobs_api", "provider_webhook", "poll_tick", "deliver_callbacks", "keep_outputs"}
LOGGED_BY_KEEP_OUTPUTS = {"output kept", "output not kept"}
OTHER_WORDS = {"http_status", "too_many_open_jobs"}
SETTINGS_OF_FUNCTIONS = {"max_instances", "call_limit", "base_url"}
SNAKE = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)+")
BLOCKS = re.findall(r"^ *```(\w+)\n(.*?)^ *```", TEXT, re.MULTILINE | re.DOTALL)
PROSE = re.sub(r"^ *```.*?^ *```", "", TEXT, flags=re.MULTILINE | re.DOTALL)
CODE = re.findall(r"`([^`]+)`", PROSE)


def variables() -> Mapping[str, Any]:
    """Return every variable's block by its name."""
    return labelled(read_folder(SOURCE), "variable")


def outputs() -> Mapping[str, Any]:
    """Return every output's block by its name."""
    return labelled(read_folder(SOURCE), "output")


def local_values() -> Mapping[str, Any]:
    """Return everything in `locals`, as it is written."""
    return {
        name: value
        for file in read_folder(SOURCE)
        for one in file.get("locals", ())
        for name, value in one.items()
    }


def alert_titles() -> set[str]:
    """Return the title of every alert policy."""
    titles = set(re.findall(r'^ +title += "(Render Relay: [^"]+)"$', written(), re.MULTILINE))
    for one in declared(read_folder(SOURCE)):
        if one.type == "google_monitoring_alert_policy":
            titles.add(one.body["display_name"].strip('"'))
    return titles - {"${each.value.title}"}


def written() -> str:
    """Return everything in terraform/."""
    return "\n".join(file.read_text() for file in SOURCE.glob("*.tf"))


def test_every_alert_has_a_runbook_and_no_other_page_is_there():
    headings = {page.partition("\n")[0].removeprefix("# ") for page in RUNBOOKS.values()}
    linked = dict(
        re.findall(r"^\| \[(Render Relay: .+?)\]\(runbooks/(.+?)\.md\)", TEXT, re.MULTILINE)
    )

    assert len(headings) >= 10
    assert headings == alert_titles() == set(linked)
    assert {page: title for title, page in linked.items()} == {
        page: text.partition("\n")[0].removeprefix("# ") for page, text in RUNBOOKS.items()
    }


@pytest.mark.parametrize("page", RUNBOOKS)
def test_links_of_a_runbook_lead_somewhere(page):
    for file, _, anchor in re.findall(r"\]\(([\w./-]+)(#([\w-]+))?\)", RUNBOOKS[page]):
        target = ROOT / "docs" / "runbooks" / file
        assert target.is_file(), file
        assert not anchor or anchor in anchors(target.read_text()), anchor


def test_every_alert_that_is_mentioned_exists():
    mentioned = {code for code in CODE if code.startswith("Render Relay: ")}

    assert mentioned <= alert_titles()


def test_every_variable_and_output_that_is_named_exists():
    known = {*variables(), *outputs(), *FUNCTIONS, *SETTINGS_OF_FUNCTIONS, *map(str, ErrorCode)}
    known |= OTHER_WORDS
    named = {word for code in CODE for word in SNAKE.findall(code) if code == word}

    assert {"secret_versions", "webhook_base_url", "dead_letter_subscriptions"} <= named
    assert named <= known


def test_what_is_given_a_value_is_a_variable():
    blocks = [text for kind, text in BLOCKS if kind == "hcl"]
    assigned = {name for text in blocks for name in re.findall(r"^(\w+) +=", text, re.MULTILINE)}
    assigned |= {code.partition(" ")[0] for code in CODE if re.match(r"\w+ = ", code)}
    handed_over = set(re.findall(r"TF_VAR_(\w+)", TEXT))

    assert assigned | handed_over <= variables().keys()
    assert handed_over == {name for name, its in variables().items() if its.get("ephemeral")}


def test_what_is_asked_of_terraform_is_an_output():
    asked = set(re.findall(r"terraform output (?:-raw )?(\w+)", TEXT))

    assert {"api_url", "completions_topic", "dashboard"} <= asked <= outputs().keys()


def test_whatever_has_no_default_is_asked_for():
    required = {name for name, its in variables().items() if "default" not in its}
    first = TEXT.partition("## First deployment")[2].partition("## Upgrade")[0]

    assert {name for name in required if name not in first} == set()


def test_every_chart_of_the_dashboard_is_described():
    written = (SOURCE / "dashboard.tf").read_text()
    titles = set(re.findall(r'^ +"([A-Z][^"]+)" += \{', written, re.MULTILINE))
    (of_account,) = re.findall(r'title = "([^"]*\$\{name\}[^"]*)"', written)
    for account, window_s in (("gepetto", "60"), ("spacely", "1")):
        title = of_account.replace("${name}", account)
        titles.add(title.replace("${account.window_s}", window_s))
    table = PROSE.partition("## The dashboard")[2].partition("## Alerts")[0]
    rows = {row.strip() for row in re.findall(r"^\| ([^|]+) \|", table, re.MULTILINE)}

    assert len(titles) >= 10
    assert rows - {"chart", "---"} == titles


def test_every_line_that_is_searched_for_is_logged():
    source = "".join(file.read_text() for file in (ROOT / "functions").rglob("*.py"))
    filters = re.findall(r"jsonPayload\.message=(\(.*?\)|\"[^\"]*\")", TEXT)
    messages = {message for one in filters for message in re.findall(r'"([^"]+)"', one)}

    assert len(messages) >= 5
    assert {
        message for message in messages if f'"{message}"' not in source
    } <= LOGGED_BY_KEEP_OUTPUTS


def test_links_within_lead_somewhere():
    assert set(re.findall(r"\]\(#([^)]+)\)", TEXT)) <= anchors(OPERATIONS)


def anchors(text: str) -> set[str]:
    """Return what can be linked to on a page."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


def commands() -> Iterator[list[str]]:
    """Give every gcloud command, also those within others."""
    for text in [text for kind, text in BLOCKS if kind == "sh"] + CODE:
        joined = text.replace("\\\n", " ")
        for found in re.finditer(r"gcloud [^\n|;`]+", joined):
            yield words(found[0])


def words(command: str) -> list[str]:
    """Return the words of a command, up to where the shell's own signs begin."""
    lexer = shlex.shlex(command, posix=True, punctuation_chars="()&|")
    lexer.whitespace_split = True
    lexer.commenters = ""
    found: list[str] = []
    try:
        for word in lexer:
            if set(word) <= set("()&|"):
                break
            found.append(word)
    except ValueError:
        # The rest belongs to the command around it.
        pass
    return found


def known_commands() -> dict[str, Any]:
    """Return the tree of commands that the Google Cloud CLI completes, with their flags."""
    gcloud = shutil.which("gcloud")
    roots = [] if gcloud is None else [*Path(gcloud).resolve().parents]
    roots.append(Path("/usr/lib/google-cloud-sdk"))
    for root in roots:
        file = root / "data" / "cli" / "gcloud_completions.py"
        if file.exists():
            tree: dict[str, Any] = runpy.run_path(str(file))["STATIC_COMPLETION_CLI_TREE"]
            return tree
    pytest.skip("no Google Cloud CLI with its table of commands")


def test_every_gcloud_command_exists_with_its_flags():
    tree = known_commands()
    unknown = []
    for _, *parts in (given := list(commands())):
        node, flags = tree, set(tree["flags"])
        while parts and parts[0] in node["commands"]:
            node = node["commands"][parts.pop(0)]
            flags |= set(node["flags"])
        used = {part.partition("=")[0] for part in parts if part.startswith("--")}
        used = {flag for flag in used if not _is_negation(flag, node["flags"])}
        if node["commands"] or used - flags:
            unknown.append((parts, sorted(used - flags)))

    assert len(given) > 30
    assert unknown == []


def _is_negation(flag: str, flags: Mapping[str, str]) -> bool:
    return flag.startswith("--no-") and flags.get(f"--{flag.removeprefix('--no-')}") == "bool"


@pytest.mark.parametrize(
    "text",
    [
        variables()["public_api"]["description"],
        next(line for line in TEXT.splitlines() if line.startswith("| `public_api` |")),
        (ROOT / "docs" / "using.md").read_text().partition("## Moving an existing")[2],
    ],
    ids=["variable", "decision", "migration"],
)
def test_drop_in_clients_of_gepetto_are_told_that_the_api_must_be_public(text):
    told = " ".join(text.split())

    assert re.search(r"public_api|jobs_api is open", told)
    assert re.search(r"Gepetto sends? (its|the) key as `?Authorization`?", told)
    assert re.search(r"needs? `?(public_api = )?true", told)


def bill() -> dict[str, list[float]]:
    """Return how many, the price, for how many, and the dollars of each line of the bill."""
    table = PROSE.partition("| what | how many |")[2].partition("\n\n")[0]
    rows = re.findall(r"^\| ([^|]+) " + r"\| ([\d,.]+) " * 4 + r"\|$", table, re.MULTILINE)
    return {what: [float(cell.replace(",", "")) for cell in cells] for what, *cells in rows}


def test_the_sums_are_right():
    (together,) = re.findall(r"\*\*together\*\* \|.*\*\*([\d.]+)\*\*", PROSE)

    assert len(bill()) >= 10
    for how_many, price, of, dollars in bill().values():
        assert how_many * price / of == pytest.approx(dollars, abs=0.006)
    assert sum(line[-1] for line in bill().values()) == pytest.approx(float(together), abs=0.006)


def test_prices_are_those_of_the_benchmarks():
    listed = {
        "writes": USD["firestore_write"],
        "reads": USD["firestore_read"],
        "deletes": USD["firestore_delete"],
        "instance-seconds of `jobs_api`": INSTANCE.usd_per_s,
        "instance-seconds of `poll_tick`": PUMP_INSTANCE.usd_per_s,
        "requests": USD["function_call"],
        "GiB over Pub/Sub": 2**30 * USD["pubsub_byte"],
    }

    for what, price in listed.items():
        lines = [line for name, line in bill().items() if name.startswith(what)]
        assert lines
        assert all(line[1] / line[2] == pytest.approx(price) for line in lines)
