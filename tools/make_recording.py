"""Makes the recorded job that towerws ships: ``towerws/data/playbook-run.jsonl``.

Run ``python -m tools.make_recording > towerws/data/playbook-run.jsonl`` after a change. The output
depends on this file alone: the same bytes on every machine and every day. Payloads have the shapes
and key orders of AWX 9.1.1 and later (shared/reference/awx-protocol.md 2.10); hosts, tasks and
texts are invented.
"""

import json
import random
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

JOB, PROJECT_UPDATE, PROJECT, TEMPLATE, SCHEDULE = 42, 41, 6, 9, 3
FIRST_EVENT_ID = 1801
STARTED = datetime(2020, 3, 2, 10, 0, 0, 123456, tzinfo=UTC)
#: How long the recorded run takes, in seconds: long enough to watch, short enough to wait for.
DURATION = 27.0

WEB = ("web1.example.com", "web2.example.com")
DB = ("db1.example.com",)
GREEN, YELLOW, RED, CYAN, PLAIN = "\x1b[0;32m", "\x1b[0;33m", "\x1b[0;31m", "\x1b[0;36m", "\x1b[0m"

RECAP_COLOURS = {"ok": GREEN, "changed": YELLOW, "skipped": CYAN, "ignored": CYAN}
#: Outcome -> (event, colour, first words of its line).
OUTCOMES = {
    "ok": ("runner_on_ok", GREEN, "ok"),
    "changed": ("runner_on_ok", YELLOW, "changed"),
    "skipped": ("runner_on_skipped", CYAN, "skipping"),
    "ignored": ("runner_on_failed", RED, "fatal"),
}


@dataclass(frozen=True, slots=True)
class Task:
    """A task of a play: its outcomes are one word for each host, its weight a share of the time."""

    role: str
    name: str
    weight: float
    outcomes: str
    says: str = ""
    is_handler: bool = False


#: Plays: name, hosts, tasks.
PLAYS = (
    (
        "Prepare every machine",
        WEB + DB,
        (
            Task("", "Gathering Facts", 3.0, "ok ok ok"),
            Task("base", "Set the time zone to Europe/Zürich", 0.6, "ok changed ok"),
            Task(
                "base", "Install the packages that every machine needs", 4.0, "changed changed ok"
            ),
            Task("base", "Create the user that runs the shop", 0.7, "changed changed skipped"),
            Task("base", "Copy the administrators' keys", 0.6, "ok ok changed"),
            Task("base", "Forbid logins with a password", 0.5, "changed changed changed"),
            Task("base", "Open the firewall for SSH", 0.6, "ok ok ok"),
            Task("base", "Send the logs to the collector", 0.8, "changed changed changed"),
            Task("base", "restart sshd", 0.9, "changed changed changed", is_handler=True),
        ),
    ),
    (
        "Set up the database",
        DB,
        (
            Task("postgresql", "Install PostgreSQL", 3.0, "changed"),
            Task("postgresql", "Write postgresql.conf", 0.5, "changed"),
            Task("postgresql", "Allow the web servers in pg_hba.conf", 0.5, "changed"),
            Task("postgresql", "Create the database of the shop", 1.0, "changed"),
            Task("postgresql", "Create the role of the shop", 0.7, "changed"),
            Task("postgresql", "Restore yesterday's backup", 0.3, "skipped"),
            Task("postgresql", "restart postgresql", 1.5, "changed", is_handler=True),
        ),
    ),
    (
        "Deploy nginx and the shop",
        WEB,
        (
            Task("nginx", "Install nginx", 3.0, "changed changed"),
            Task("nginx", "Remove the default site", 0.4, "changed ok"),
            Task("nginx", "Write the site of the shop", 0.6, "changed changed"),
            Task("nginx", "Copy the certificate", 0.5, "ok changed"),
            Task("nginx", "Test the configuration", 0.6, "ok ok"),
            Task("nginx", "Open the firewall for HTTPS", 0.5, "changed changed"),
            Task("shop", "Take this machine out of the balancer", 0.8, "ok ok"),
            Task(
                "shop",
                "Ask the running release for its version",
                1.2,
                "ok ignored",
                "Connection refused",
            ),
            Task("shop", "Fetch release 3.7.1", 2.4, "changed changed"),
            Task("shop", "Make the virtual environment", 2.0, "changed changed"),
            Task("shop", "Migrate the database", 1.8, "changed skipped"),
            Task(
                "shop",
                "Compile the translations (Deutsch, Español, 日本語)",
                1.0,
                "changed changed",
            ),
            Task("shop", "Point the link to the new release", 0.4, "changed changed"),
            Task("shop", "Say what was deployed", 0.3, "ok ok", "Version 3.7.1 läuft ✓ 準備完了"),
            Task("nginx", "reload nginx", 0.7, "changed changed", is_handler=True),
            Task("shop", "restart shop", 1.6, "changed changed", is_handler=True),
        ),
    ),
    (
        "See whether everything answers",
        WEB + DB,
        (
            Task("", "Ask the database for its version", 0.6, "skipped skipped ok"),
            Task("", "Ask the shop for its front page", 1.5, "ok ok skipped"),
            Task("", "Put the machine back into the balancer", 0.8, "changed changed skipped"),
            Task("", "Remove old releases", 0.7, "changed ok skipped"),
            Task("", "Report", 0.3, "ok ok ok", "Alles in Ordnung: café, naïve, Ελληνικά, 🚀"),
        ),
    ),
)


@dataclass(slots=True)
class Run:
    """The run as it unfolds: the clock, the counters, and the lines so far."""

    now: float = 0.0
    counter: int = 0
    line: int = 0
    lines: list[tuple[float, str, dict[str, object]]] = field(default_factory=list)
    # Only random() is promised to give the same numbers in every Python to come.
    chance: random.Random = field(default_factory=lambda: random.Random(JOB))  # noqa: S311
    recap: dict[str, dict[str, int]] = field(default_factory=dict)

    def wait(self, seconds: float) -> None:
        """Let time pass, a little more or less than said."""
        self.now += seconds * (0.75 + self.chance.random() / 2)

    def emit(self, group: str, event: dict[str, object]) -> None:
        """Record an event at the present time."""
        self.lines.append((self.now, group, event))

    def job_event(
        self, name: str, level: int, parent: str, stdout: str = "", **more: object
    ) -> str:
        """Record an event of the job, numbered, with the lines of output that it stands for.

        Returns:
            The event's uuid, for the events below it.
        """
        self.counter += 1
        # ansible-runner: lines end with "\r\n", and the last end of an event is not in its text.
        first, self.line = self.line, self.line + (stdout.count("\n") + 1 if stdout else 0)
        identity = str(uuid.uuid5(uuid.NAMESPACE_URL, f"towerws:recording:{self.counter}"))
        row = FIRST_EVENT_ID + self.counter - 1
        event: dict[str, object] = {
            "id": row,
            "job": JOB,
            "created": "",
            "modified": "",
            "group_name": "job_events",
            "url": f"/api/v2/job_events/{row}",
            "stdout": stdout,
            "counter": self.counter,
            "uuid": identity,
            "parent_uuid": parent,
            "start_line": first,
            "end_line": self.line,
            "event": name,
            "event_data": {},
            "failed": False,
            "changed": False,
            "event_level": level,
            "play": "",
            "role": "",
            "task": "",
        }
        self.emit(f"job_events-{JOB}", event | more)
        return identity


def change_status(run: Run, what: int, status: str, **more: object) -> None:
    """Record a change of status, of the job or of the project update before it."""
    event: dict[str, object] = {"unified_job_id": what, "status": status}
    if status == "waiting":
        event["instance_group_name"] = "default"
    if status == "successful":
        event["finished"] = ""
    event["type"] = "job" if what == JOB else "project_update"
    template = TEMPLATE if what == JOB else PROJECT
    event |= more | {"group_name": "jobs", "unified_job_template_id": template}
    run.emit("jobs-status_changed", event)


def play_task(run: Run, parent: str, play: str, hosts: tuple[str, ...], task: Task) -> None:
    """Record a task: its head, every host's start, and every host's result."""
    title = f"{task.role} : {task.name}" if task.role else task.name
    kind, event = ("TASK", "playbook_on_task_start")
    if task.is_handler:
        kind, event = ("RUNNING HANDLER", "playbook_on_handler_task_start")
    where = {"play": play, "role": task.role, "task": task.name}
    head = run.job_event(event, 2, parent, banner(f"{kind} [{title}]"), **where)
    run.wait(0.1)
    for _host in hosts:
        run.job_event("runner_on_start", 3, head, **where)
        run.wait(0.02)
    for host, outcome in zip(hosts, task.outcomes.split(), strict=True):
        run.wait(task.weight / len(hosts))
        tally = run.recap.setdefault(host, dict.fromkeys(OUTCOMES, 0))
        tally[outcome] += 1
        # AWX does not call an ignored failure failed (JobEvent._update_from_event_data).
        text = result_text(host, outcome, task.says)
        name, changed = OUTCOMES[outcome][0], outcome == "changed"
        run.job_event(name, 3, head, text, changed=changed, **where)


def banner(text: str) -> str:
    """Write a heading as Ansible does: a blank line, then the text and stars up to column 79."""
    return f"\r\n{text} ".ljust(81, "*")


def result_text(host: str, outcome: str, says: str) -> str:
    """Write a host's result as Ansible's default output shows it."""
    _, colour, word = OUTCOMES[outcome]
    if outcome == "ignored":
        failure = json.dumps({"changed": False, "msg": f"Request failed: {says}", "status": -1})
        return f"{colour}{word}: [{host}]: FAILED! => {failure}{PLAIN}\r\n{CYAN}...ignoring{PLAIN}"
    lines = [f"{word}: [{host}]"]
    if says and outcome == "ok":
        lines = [f"{word}: [{host}] => {{", f'    "msg": "{says}"', "}"]
    return "\r\n".join(f"{colour}{line}{PLAIN}" for line in lines)


def recap_text(recap: dict[str, dict[str, int]]) -> str:
    """Write the table at the end of a run."""
    rows = [banner("PLAY RECAP")]
    for host, tally in sorted(recap.items()):
        ok = tally["ok"] + tally["changed"] + tally["ignored"]
        counts = {"ok": ok, "changed": tally["changed"], "unreachable": 0, "failed": 0}
        counts |= {"skipped": tally["skipped"], "rescued": 0, "ignored": tally["ignored"]}
        row = " ".join(
            f"{RECAP_COLOURS.get(name, '')}{name}={count:<4}{PLAIN * (name in RECAP_COLOURS)}"
            for name, count in counts.items()
        )
        rows.append(f"{YELLOW}{host:<26}{PLAIN} : {row}")
    return "\r\n".join(rows)


def record() -> Run:
    """Go through the whole run: the project's update first, then the job."""
    run = Run()
    run.emit("schedules-changed", {"id": SCHEDULE, "group_name": "schedules"})
    change_status(run, JOB, "pending")
    for step in ("pending", "waiting", "running", "successful"):
        run.wait(0.5)
        change_status(run, PROJECT_UPDATE, step, project_id=PROJECT)
    summary: dict[str, object] = {"group_name": "jobs", "unified_job_id": PROJECT_UPDATE}
    run.emit("jobs-summary", summary | {"final_counter": 14})
    for step in ("waiting", "running"):
        run.wait(0.6)
        change_status(run, JOB, step)
    run.wait(1.5)
    playbook = run.job_event("playbook_on_start", 0, "")
    for name, hosts, tasks in PLAYS:
        run.wait(0.1)
        heading = banner(f"PLAY [{name}]")
        play = run.job_event("playbook_on_play_start", 1, playbook, heading, play=name)
        for task in tasks:
            run.wait(0.1)
            play_task(run, play, name, hosts, task)
    run.wait(0.3)
    run.job_event("playbook_on_stats", 1, playbook, recap_text(run.recap))
    run.wait(0.4)
    summary["unified_job_id"] = JOB
    run.emit("jobs-summary", summary | {"final_counter": run.counter})
    run.wait(0.3)
    change_status(run, JOB, "successful")
    run.emit("schedules-changed", {"id": SCHEDULE, "group_name": "schedules"})
    return run


def write(run: Run) -> Iterator[str]:
    """Yield the lines of the file, with all times brought to the wanted duration."""
    for now, group, event in run.lines:
        t = round(now * DURATION / run.now, 3)
        at = STARTED + timedelta(seconds=t)
        if "created" in event:
            event["created"] = event["modified"] = at.isoformat()
        if "finished" in event:
            event["finished"] = at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        yield json.dumps({"t": t, "group": group, "event": event}) + "\n"


if __name__ == "__main__":
    sys.stdout.writelines(write(record()))
