"""Deliberate faults in the guard; the proof must find each: `make prove-mutants`.

The state machine finds most by chance. A mutant for which chance needs more than `MOST_EXAMPLES` names the sequence of
`test_sequences.py` that finds it, and the table says so.

A mutant changes source text in a copy of the package. Each piece of text must occur exactly once, so that no mutant
silently becomes harmless when the code changes. If the guard has a second line of defense, the mutant breaks both.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.proof.shard import Report

ROOT = Path(__file__).parents[2]
MOST_EXAMPLES = 2_500


@dataclass(frozen=True)
class Change:
    """`before` becomes `after` in one file of `rc_mcp`."""

    file: str
    before: str
    after: str


@dataclass(frozen=True)
class Mutant:
    """One fault: its description, its changes, and the sequence that finds it if chance does not."""

    name: str
    changes: tuple[Change, ...]
    sequence: str | None = None


def _mutant(name: str, *changes: tuple[str, str, str], sequence: str | None = None) -> Mutant:
    return Mutant(name, tuple(Change(*change) for change in changes), sequence)


_LOOKED_BACK = "        outcomes = await _read_back(mailbox, ids, answers, purge=purge)"
_WORD = '"purged" if purge else "deleted"'
_APP_OF_HUMAN = 'window == "app" and self.approval == "human"'
_APP_AND_FINAL = 'window == "app" and plan.draft.severity == "irreversible"'

MUTANTS = (
    _mutant(
        "a DELETE is sent again after an ambiguous failure",  # two lines of defence: the retries, and their patience
        ("ringcentral/transport/retries.py", 'return call.method != "DELETE" and (', "return ("),
        ("ringcentral/transport/deadlines.py", "with waiting_until(0.0):", "with waiting_until(inf):"),
    ),
    _mutant(
        "no re-read before the DELETE: changed messages are not skipped",
        (
            "guard/mailbox.py",
            "elif target(now) == t:",
            "elif now:",
        ),
    ),
    _mutant(
        "a plan_id replaces the answer although the client can ask",
        (
            "tools/approval.py",
            "if isinstance(proposal, Plan) else",
            "if isinstance(proposal, Plan) and not request.plan_id else",
        ),
    ),
    _mutant(
        "a plan_id counts as approval of a plan that the user was asked about",
        (
            "guard/guard.py",
            'self._needs_terminal(plan) else ("open",)',
            'self._needs_terminal(plan) else ("open", "asked")',
        ),
    ),
    _mutant(
        "a 207 counts as success",  # outcomes come from reading back, so the mutant breaks that too
        (
            "guard/execution.py",
            _LOOKED_BACK,
            f"{_LOOKED_BACK}\n    if any(a.ok for a in answers):\n        outcomes = dict.fromkeys(ids, {_WORD})",
        ),
    ),
    _mutant(
        "a 204 is believed without reading back",
        (
            "guard/execution.py",
            _LOOKED_BACK,
            f"{_LOOKED_BACK}\n    if all(a.ok for a in answers):\n        outcomes = dict.fromkeys(ids, {_WORD})",
        ),
    ),
    _mutant(
        "a message that reads unchanged after a lost answer counts as settled",
        ("guard/mailbox.py", '"failed" if i in untouched else "unknown"', '"failed"'),
    ),
    _mutant(
        "a DELETE that may still arrive does not hold back a second one",
        ("guard/refusals.py", "SETTLED_AFTER = timedelta(seconds=60)", "SETTLED_AFTER = timedelta(seconds=0)"),
    ),
    _mutant(
        "a plan can be used again after use",
        (
            "guard/state/plans.py",
            'self._move(db, plan_id, "used", *states)',
            'self._move(db, plan_id, "open", *states)',
        ),
    ),
    _mutant(
        "a DELETE goes through *",  # a call without ids cannot be built, so the mutant breaks that too
        (
            "ringcentral/calls.py",
            'return Call("DELETE", f"{box}/message-store/{\',\'.join(ids)}", query, _accepting(ids), ids=ids)',
            'return Call("DELETE", f"{box}/message-store/*", query, body=b"[]", ids=ids)',
        ),
        (
            "ringcentral/calls.py",
            'if self.method == "DELETE" and not _names',
            'if self.method == "NONE" and not _names',
        ),
    ),
    _mutant(
        "a wrong phrase is good enough",
        (
            "tools/approval.py",
            'return "yes" if typed == plan.draft.phrase else "not_confirmed"',
            'return "yes" if typed else "not_confirmed"',
        ),
    ),
    _mutant(
        "a decline counts as an approval",
        (
            "tools/approval.py",
            '    if not isinstance(answer, AcceptedElicitation):\n        return "no"',
            '    if not isinstance(answer, AcceptedElicitation):\n        return "yes"',
        ),
    ),
    _mutant(
        "an empty accept counts as an approval",
        ("tools/approval.py", "confirm: StrictBool = Field(False,", "confirm: StrictBool = Field(True,"),
    ),
    _mutant(
        "two changes at once: no lock",
        ("guard/state/folder.py", 'self.path / "changing.lock"', 'self.path / f"{id(object())}.lock"'),
    ),
    _mutant(
        "date_to is ignored",
        ("guard/actions/conversations.py", "date_to = min(self.date_to, now).replace(", "date_to = now.replace("),
    ),
    _mutant(
        "a list is not checked to be of the requested conversation",  # nor by the client
        (
            "guard/actions/conversations.py",
            "[message for message, number in listed if number == int(conversation)]",
            "[message for message, _ in listed]",
        ),
        (
            "ringcentral/client.py",
            'return (await self._record(MessageList, call)).only_of(given.get("conversation_id"))',
            "return await self._record(MessageList, call)",
        ),
    ),
    _mutant(
        "a plain delete includes Deleted messages",
        (
            "guard/mailbox.py",
            'elif message.availability == "Alive" or (purge and message.availability == "Deleted"):',
            'elif message.availability in {"Alive", "Deleted"}:',
        ),
    ),
    _mutant(
        "a plan fits other arguments",
        ("guard/state/plans.py", "json.dumps([principal, tool, dict(arguments)]", "json.dumps([principal, tool]"),
    ),
    _mutant(
        "a plan fits another login",
        ("guard/state/plans.py", "json.dumps([principal, tool, dict(arguments)]", "json.dumps([tool, dict(arguments)]"),
    ),
    _mutant(
        "any 404 shows that a message is gone",
        (
            "guard/mailbox.py",
            "gone = {i for i in confirmed if purge and isinstance(errors.get(i), NotFound)}",
            "gone = {i for i in ids if isinstance(errors.get(i), NotFound)}",
        ),
        sequence="test_a_404_when_read_back_does_not_show_that_a_deleted_message_was_purged",
    ),
    _mutant(
        "the STOP file is ignored",
        ("guard/state/folder.py", 'return state_dir / "STOP"', 'return state_dir / "NEVER"'),
    ),
    _mutant(
        "an expired plan still runs",
        (
            "guard/state/plans.py",
            "AND expires > ? AND expires <= ?",
            "AND expires > ? - 1e6 AND expires <= ? + 1e6",
        ),
    ),
    _mutant(
        "a denied plan can still be used",
        (
            "guard/state/plans.py",
            'self._move(db, plan_id, "denied", "open", "asked", "approved")',
            'self._move(db, plan_id, "open", "open", "asked", "approved")',
        ),
    ),
    _mutant(
        "a plan_id is enough approval for an irreversible plan",
        (
            "guard/guard.py",
            'return plan.draft.severity == "irreversible" or self.approval == "human"',
            'return self.approval == "human"',
        ),
    ),
    _mutant(
        "RC_MCP_APPROVAL=human is ignored",
        (
            "guard/guard.py",
            'return plan.draft.severity == "irreversible" or self.approval == "human"',
            'return plan.draft.severity == "irreversible"',
        ),
    ),
    _mutant(
        "a server below the purge level purges",
        (
            "guard/guard.py",
            'if draft.severity == "irreversible" and not self.may_purge:',
            "if not self.may_purge and draft.phrase is None:",
        ),
    ),
    _mutant(
        "messages that a plan left out are reported as they were when the plan was made",
        (
            "guard/guard.py",
            "left_out = await still_left_out(mailbox, plan.draft.left_out or {}, purge=purge)",
            "left_out = dict(plan.draft.left_out or {})",
        ),
    ),
    _mutant(
        "a retention period is set again after an ambiguous failure",
        (
            "guard/actions/retention.py",
            "        with at_once():\n            await mailbox.client.update",
            "        if True:\n            await mailbox.client.update",
        ),
    ),
    _mutant(
        "a retention period that another app changed is set all the same",
        ("guard/actions/retention.py", "!= draft.period_in_force:", "== -1:"),
    ),
    _mutant(
        "a 401 counts as a refusal",
        (
            "guard/execution.py",
            "not isinstance(error, Unauthorized | RangeNotSatisfiable | Unavailable)",
            "not isinstance(error, RangeNotSatisfiable | Unavailable)",
        ),
    ),
    _mutant(
        "a 416 counts as a refusal",
        (
            "guard/execution.py",
            "not isinstance(error, Unauthorized | RangeNotSatisfiable | Unavailable)",
            "not isinstance(error, Unauthorized | Unavailable)",
        ),
    ),
    _mutant(
        "an answer without a code of RingCentral's counts as a refusal",
        (
            "guard/execution.py",
            "return isinstance(error, APIError) and",
            'return (isinstance(error, APIError) or hasattr(error, "status")) and',
        ),
    ),
    _mutant(
        "an operator's limits are not counted",
        ("guard/guard.py", "        if over is None:\n", "        if True:\n"),
    ),
    _mutant(
        "protected messages are looked for only when a plan is made",
        (
            "guard/mailbox.py",
            "return self.policy.protects(message) or (",
            "return (",
        ),
    ),
    _mutant(
        "the lines of a rule do not count",  # nor when the plan is carried out
        (
            "guard/policy/rules.py",
            'lines = [f"{misfit} of {n} {unmet(line)}" for line, misfit in misfits.items()]',
            "lines: list[str] = []",
        ),
        ("guard/guard.py", "replace(mailbox, unattended_at=self.plans.now())", "mailbox"),
    ),
    _mutant(
        "a shorter retention period deletes protected messages",
        ("guard/actions/retention.py", "if lowered and mailbox.policy.protects_anybody:", "if False:"),
        (
            "guard/actions/retention.py",
            'if draft.severity == "irreversible" and mailbox.policy.protects_anybody:',
            "if False:",
        ),
    ),
    _mutant(
        "an undo restores every message that its operation reported",
        (
            "guard/restore.py",
            'for i, word in operation.outcomes.items() if word in {"deleted", "unknown"})',
            "for i in operation.outcomes)",
        ),
    ),
    _mutant(
        "an undo is believed without reading back",
        (
            "guard/restore.py",
            "seen = await _read_back(mailbox, list(deleted))",
            'seen = dict.fromkeys(deleted, "restored")',
        ),
    ),
    _mutant(
        "the minute after an unanswered request goes by the wall clock",
        (
            "guard/state/journal.py",
            "return max(elapsed_s, default=0.0) < settled_after.total_seconds()",
            "return intent.moment > self.now() - settled_after",
        ),
    ),
    _mutant(
        "a request counts from when it was about to leave",
        ("guard/state/journal.py", "since = operation.known_to_have_left(intent).number", "since = intent.number"),
        sequence="test_a_request_counts_from_when_it_left_even_if_its_process_stood_still_before",
    ),
    _mutant(
        "a request from before a restart of the machine counts as settled",
        ("guard/state/journal.py", "max(elapsed_s, default=0.0)", "max(elapsed_s, default=1e9)"),
    ),
    _mutant(
        "a request from before a restart of the machine never settles",
        (
            "guard/state/journal.py",
            'self.append("noticed", **who, details={"clock": self.clock.read()})',
            'self.append("noticed", **who, details={})',
        ),
    ),
    _mutant(
        "caps go by the wall clock",
        (
            "guard/state/journal.py",
            "return entry.at > _stamp(since) if elapsed_s is None else elapsed_s < span.total_seconds()",
            "return entry.at > _stamp(since)",
        ),
    ),
    _mutant(
        "ages are counted in a zone",
        (
            "wiring.py",
            "PlanStore(state or Folder(settings.state_dir), now, clock)",
            "PlanStore(state or Folder(settings.state_dir), lambda: now().astimezone(settings.timezone), clock)",
        ),
        sequence="test_an_age_is_elapsed_time_when_clocks_go_forward",
    ),
    _mutant(
        "a span back is counted in a zone",
        ("tools/arguments.py", "time = now.astimezone(UTC) - timedelta(", "time = now.astimezone(zone) - timedelta("),
    ),
    _mutant(
        "a plan lives by the wall clock",
        ("guard/state/plans.py", "return elapsed_s is None or elapsed_s < LIFETIME.total_seconds()", "return True"),
        sequence="test_a_clock_set_back_does_not_extend_a_plan",
    ),
    _mutant(
        "a retention period is not held back by an earlier one",
        ("guard/guard.py", "(is_retention and unanswered.retention)", "(is_retention and False)"),
    ),
    _mutant(
        "an undo ignores requests that may still arrive",
        ("guard/restore.py", "unanswered = (await guard.unanswered()).deletes", "unanswered = frozenset[str]()"),
    ),
    _mutant(
        "a restore ignores requests that may still arrive",
        ("tools/patch_message.py", "return in_doubt(changes, unanswered)", "return changes"),
    ),
    _mutant(
        "a retention period is sent again with a fresh token",
        (
            "ringcentral/oauth/auth.py",
            'if request.method == "DELETE" or is_sent_once():',
            'if request.method == "DELETE":',
        ),
    ),
    _mutant(
        "a lock that the system refuses counts as held",
        (
            "locks.py",
            "    except BaseException:\n        held.release()\n        raise\n",
            "    except OSError:\n        return held\n",
        ),
    ),
    _mutant(
        "a lock is believed without trying it",
        ("locks.py", " and _keeps_others_out(held, lock_file):", ":"),
    ),
    _mutant(
        "a 404 of the API gateway counts as a refusal",
        ("ringcentral/transport/responses.py", 're.compile(r"AGW-[0-9]+|CMN-120")', 're.compile("none")'),
    ),
    _mutant(
        "any 404 in RingCentral's words is about a message",
        (
            "ringcentral/transport/responses.py",
            "kind = _class_of_404(facts, path, in_207=in_207) if",
            "kind = NotFound if",
        ),
    ),
    _mutant(
        "a folder's .env adds to a login in the environment",
        ("settings.py", '_refuse_all_but(set(), added, "the environment")', "pass"),
    ),
    _mutant(
        "a button in an app is enough for a change that cannot be undone",
        ("guard/guard.py", 'if window == "app" and self._needs_terminal(plan):', f"if {_APP_OF_HUMAN}:"),
    ),
    _mutant(
        "a button in an app is enough although RC_MCP_APPROVAL is human",
        ("guard/guard.py", 'if window == "app" and self._needs_terminal(plan):', f"if {_APP_AND_FINAL}:"),
        sequence="test_a_button_is_not_enough_where_only_people_may_approve",
    ),
    _mutant(
        "a window approves messages that are not of the plan",
        ("guard/guard.py", "if not plan.has(ids):", "if not ids:"),
    ),
    _mutant(
        "messages that a user took out of a plan are deleted all the same",
        (
            "guard/state/plans.py",
            "targets = tuple(t for t in draft.targets if t.id in kept)",
            "targets = draft.targets if kept else ()",
        ),
    ),
    _mutant(
        "any phrase typed in a window is good enough",
        ("guard/guard.py", "if phrase and decision.phrase.strip() != phrase:", "if phrase and not decision.phrase:"),
    ),
    _mutant(
        "the phrase for a whole plan is good enough for a part of it",
        ("guard/guard.py", "phrase = plan.without_others(ids).draft.phrase", "phrase = plan.draft.phrase"),
    ),
    _mutant(
        "a window carries out a plan that was denied or used",
        (
            "guard/guard.py",
            'Approval(window, ("open", "asked"), only)',
            'Approval(window, ("open", "asked", "denied", "used"), only)',
        ),
    ),
    _mutant(
        "a window carries out a plan of another login",
        (
            "guard/guard.py",
            "if found is None or found[0].principal != self.principal:\n            return await self._refuse(WINDOW",
            "if found is None:\n            return await self._refuse(WINDOW",
        ),
    ),
    _mutant(
        "a refusal in a window is not recorded",
        ("guard/guard.py", "if await in_thread(self.plans.deny, plan.id, window):", "if True:"),
        sequence="test_a_no_in_a_window_is_final",
    ),
    _mutant(
        "a window of a server below the purge level purges",
        ("guard/guard.py", 'if plan.draft.severity == "irreversible" and not self.may_purge:', "if False:"),
    ),
    _mutant(
        "a window of a server below the admin level sets a retention period",
        ("guard/guard.py", "if plan.draft.retention_period is not None and not self.may_set_retention:", "if False:"),
        sequence="test_a_server_without_the_right_sets_no_period_in_a_window",
    ),
    _mutant(
        "a plan_id counts as approval of a plan that is shown in a window",
        ("tools/approval.py", "    if window:\n        await in_thread(app.guard.plans.ask, plan.id)\n", ""),
        sequence="test_no_claim_of_a_model_counts_for_a_plan_that_is_shown_in_a_window",
    ),
    _mutant(
        "a message that changed since is settled as not deleted",
        (
            "guard/reconcile.py",
            "{i for i, message in found.items() if is_as_it_was(message, intent.was.get(i))}",
            "set(found)",
        ),
    ),
)


def mutated(mutant: Mutant, folder: Path) -> None:
    """Put a copy of the package there, with the fault in it, and the proof next to it.

    Raises:
        ValueError: a piece of text does not occur exactly once.
    """
    skip = shutil.ignore_patterns("__pycache__")
    for part in ("rc_mcp", "prompts", "tests/proof"):
        shutil.copytree(ROOT / part, folder / part, ignore=skip)
    for file in ("tests/__init__.py", "tests/desk.py"):
        shutil.copy(ROOT / file, folder / file)
    for change in mutant.changes:
        file = folder / "rc_mcp" / change.file
        source = file.read_text("utf-8")
        if source.count(change.before) != 1:
            raise ValueError(f"{mutant.name}: {change.file} does not contain exactly one {change.before!r}")
        file.write_text(source.replace(change.before, change.after), "utf-8")


def caught(mutant: Mutant) -> tuple[Report, float]:
    """Return the proof's report on a mutant, and the seconds it took."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        mutated(mutant, folder)
        began = time.monotonic()
        report = _played(mutant.sequence, folder) if mutant.sequence else _searched(folder)
        return report, time.monotonic() - began


def _searched(folder: Path) -> Report:
    ran = _run(folder, "tests.proof.shard", "1", str(MOST_EXAMPLES))
    if ran.returncode:
        raise RuntimeError(ran.stderr[-2000:])
    return json.loads(ran.stdout.splitlines()[-1])  # Hypothesis may print lines before it


def _played(sequence: str, folder: Path) -> Report:
    test = f"tests/proof/test_sequences.py::{sequence}"
    ran = _run(folder, "pytest", "-q", "-p", "no:cacheprovider", "--import-mode=importlib", test)
    # The last is the first that was broken: the server turned it into an error, which broke another.
    broken = re.findall(r"^E\s+tests\.proof\.judge\.Violation: ([^:]*)", ran.stdout, re.MULTILINE)
    if ran.returncode and not broken:
        raise RuntimeError(ran.stdout[-2000:])
    return Report(counts={}, invariant=broken[-1] if broken else None, what="")


def _run(folder: Path, *module: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(folder), "PYTHONHASHSEED": "0"}
    command = [sys.executable, "-m", *module]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def main(names: Sequence[str]) -> int:
    """Print a table. Return 1 if a mutant survives. Names or parts of names select mutants."""
    chosen = [m for m in MUTANTS if not names or any(n in m.name for n in names)]
    survived = 0
    with ThreadPoolExecutor(os.cpu_count()) as at_once:
        for mutant, (report, seconds) in zip(chosen, at_once.map(caught, chosen), strict=True):
            found = report["invariant"]
            survived += found is None or found == "?"
            by = "SURVIVED" if found is None else report["what"][:300] if found == "?" else found
            examples = report["counts"].get("examples", 0)
            tried = "  by a sequence" if mutant.sequence else f"{examples:6} examples"
            print(f"{mutant.name:82}{tried} {seconds:4.0f} s  {by}", flush=True)
    print(f"{len(chosen) - survived} of {len(chosen)} mutants are caught")
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
