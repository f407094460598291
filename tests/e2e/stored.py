"""What the daemon wrote, read with plain SQL as leakwatch-sql(7) describes it, while it goes on writing."""
import sqlite3
from collections import namedtuple
from contextlib import closing

Class = namedtuple("Class", "name count rule hint")  # rule: "" when it was named by itself
Status = namedtuple("Status", "up metrics_up why metrics_why parsed lost at")  # of the newest scrape
GOROUTINES, METRICS = 1, 2  # bits of scrape.got


def rows(daemon, sql, *values):
    with closing(sqlite3.connect(f"file:{daemon.db}?mode=ro", uri=True, timeout=5)) as db:
        return db.execute(sql, values).fetchall()


def status(daemon, job):
    """How the newest scrape of the job's one target went; None before the first."""
    found = rows(daemon, "SELECT up, metrics_up, why, metrics_why, parsed, lost, at_ms / 1000.0 FROM target_status s"
                         " JOIN target t ON t.id = s.target_id WHERE t.job = ?", job)
    return Status(*found[0]) if found else None


def classes(daemon, job):
    """The classes of the job's one target with their newest counts, largest first."""
    found = rows(daemon, "SELECT c.name, l.value, c.rule, c.hint FROM v_latest l JOIN series e ON e.id = l.series_id"
                         " JOIN class c ON c.id = e.class_id JOIN target t ON t.id = e.target_id"
                         " WHERE e.kind = 'class' AND t.job = ? ORDER BY l.value DESC, c.name", job)
    return [Class(name, int(count), rule, hint) for name, count, rule, hint in found]


def scrapes(daemon, job, got=GOROUTINES, since=0.0):
    """When the job's target was scraped (Unix seconds, in order), of those scrapes that got that endpoint."""
    return [at / 1000 for (at,) in rows(
        daemon, "SELECT at_ms FROM scrape s JOIN target t ON t.id = s.target_id"
                " WHERE t.job = ? AND s.got & ? AND at_ms >= ? ORDER BY at_ms", job, got, since * 1000)]


def counts(daemon, job):
    """[(Unix seconds, {class: count})], one for each scrape of goroutines, without classes at 0."""
    changed = {}
    for at, name, value in rows(daemon, "SELECT s.at_ms, s.name, s.value FROM v_sample s JOIN target t ON t.id = s.target_id"
                                        " WHERE t.job = ? AND s.kind = 'class' ORDER BY s.at_ms", job):
        changed.setdefault(at, {})[name] = int(value)
    out, now = [], {}
    for at in scrapes(daemon, job):
        now.update(changed.get(round(at * 1000), {}))
        out.append((at, {name: n for name, n in now.items() if n}))
    return out


def verdicts(daemon, job):
    """{series: state} of those that are not ok; a class, "total" or a metric by its name."""
    return dict(rows(daemon, "SELECT g.name, g.state FROM v_growth g JOIN target t ON t.id = g.target_id WHERE t.job = ?", job))
