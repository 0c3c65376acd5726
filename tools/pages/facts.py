"""What the pages of the site say of a run: when, where, and by what it was made."""

import json
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def facts_of(results, images):
    """What is known of the run, in words: a list of (what, text)."""
    data = sorted({name.split("[")[0] for name in results["dataset_name"]})
    facts = [("Data", ", ".join(data))]
    if images:
        facts.append(("Test images", ", ".join(images)))
    facts.append(("Code", f"digest {', '.join(sorted(results['version'].unique()))}"))
    runs = results["run"].dropna().map(json.loads).tolist() if "run" in results else []
    if not runs:
        return [*facts, ("Run", "its date, machine and versions were not recorded")]

    def each(of_run):
        return "; ".join(sorted({of_run(run) for run in runs}))

    return [
        *facts,
        ("Run", each(lambda run: run["date"][:10])),
        ("Commit", each(commit_of)),
        ("Machine", each(lambda r: f"{r['gpu'] or r['cpu']}, threads: {r['threads']}")),
        ("Versions", each(lambda r: ", ".join(map(" ".join, r["versions"].items())))),
    ]


def commit_of(run):
    if not run.get("commit"):
        return "not known"
    return run["commit"][:7] + ", with changes" * bool(run["dirty"])


def git(*command):
    """What git prints; "" outside of a clone, or without git."""
    try:
        done = subprocess.run(
            ["git", "-C", ROOT, *command], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.strip()


def published(name):
    """The commit that made a file of results/ and its date; None where not known."""
    # A shallow clone takes all files for those of its first commit.
    if git("rev-parse", "--is-shallow-repository") != "false":
        return None
    line = git("log", "-1", "--format=%H %cs", "--", f"results/{name}.parquet")
    return dict(zip(("commit", "date"), line.split())) or None
