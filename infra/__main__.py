"""Lists the tools: `python -m infra`."""

TOOLS = {
    "infra.local up": "run the whole system on this machine until Ctrl-C",
    "infra.traces": "print the trace of a job of the local stack",
    "infra.demo": "show the relay at work, in about half a minute",
    "infra.sandbox": "serve stand-ins of both providers",
    "infra.simulator": "check thousands of faulty histories on a virtual clock",
    "infra.storm": "kill real processes while jobs go through the relay",
    "infra.bench": "measure speed, cost and memory",
    "infra.describe": "write the API and event descriptions in docs/",
    "infra.operate": "look after a deployment: jobs, holds, callbacks, dead letters",
    "infra.pins": "pin the newest versions of all packages, with hashes",
    "infra.pins.licences": "write the licences of what is deployed into docs/",
    "infra.describe.fuzz": "send a live stack whatever the API description allows",
    "infra.mutants": "report small faults in the code that no test notices",
}


def main() -> None:
    """Print one line for each tool."""
    print("Each tool explains its options: python -m TOOL --help\n")
    for name, what in TOOLS.items():
        print(f"  python -m {name:<20} {what}")


if __name__ == "__main__":
    main()
