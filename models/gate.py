"""The gate: may a candidate take the place of the model in service? Pure, over what was measured of both.

    measured.measure(present model) ─┐
                                     ├─ judge(limits) ─> GateReport: passed, and every check with its figures
    measured.measure(candidate) ─────┘

Both answer the same rows, so they are compared row by row. On each held-out set the candidate must be non-inferior: the
lower bound of the difference in accuracy stays above the margin. The bound is exact: given that the two differ on
d rows, the candidate's wins are binomial (McNemar 1947; Clopper and Pearson 1934), and a difference of means would
not see that 20 rows won and 20 lost are another thing than 0 and 0. It must also be better somewhere, by the same test,
else a chain of candidates could each lose a margin. Golden rows and tests of behaviour, which people chose, are
counted without mercy for chance.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from scipy.special import betainc, betaincinv

from models.evaluation.scores import side_of
from models.measured import Measured, MeasuredSet

__all__ = ["Check", "GateReport", "Limits", "better_by_chance", "judge", "lower_bound"]


@dataclass(frozen=True, slots=True)
class Limits:
    """What a candidate may lose. Shares are of 1; `alpha` is the risk accepted in each paired test."""

    alpha: float = 0.05
    accuracy_margin: float = 0.01
    must_improve: bool = True
    golden_losses: float = 0.0
    """Golden rows that may be lost, as a share of those that the present model gets right."""
    opposite_margin: float = 0.005
    calibration_margin: float = 0.02
    behaviour_share: float = 0.02
    """The part of all tests of behaviour that may be lost."""
    behaviour_kind_share: float = 0.25
    """The part of one kind's tests that may be lost: a kind has few, and a fault may pass some of them for nothing."""
    latency_ratio: float = 1.25
    """How many times as long a text may take."""


@dataclass(frozen=True, slots=True)
class Check:
    """One question of the gate, its answer in a sentence, and the figures behind it."""

    name: str
    passed: bool
    reason: str
    figures: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class GateReport:
    """Whether the candidate may take the place of the present model; plain data."""

    passed: bool
    current: tuple[str, str]
    candidate: tuple[str, str]
    checks: Sequence[Check]

    @property
    def reasons(self) -> list[str]:
        """Why not; empty when it may."""
        return [check.reason for check in self.checks if not check.passed]


def judge(current: Measured, candidate: Measured, limits: Limits | None = None) -> GateReport:
    """Compares what was measured of both, on the same sets.

    Raises `ValueError` when a set of the two is not the same rows, or when there is none to compare.
    """
    allowed = limits or Limits()
    pairs = list(_pairs(current, candidate))
    if not any(present.role == "held_out" for present, _ in pairs):
        raise ValueError("the gate needs a held-out set that both models answer")
    checks = [_missing(current, candidate)]
    for present, new in pairs:
        if present.role == "golden":
            checks.append(_golden(present, new, allowed))
            continue
        checks.append(_accuracy(present, new, allowed))
        if present.role == "held_out":  # corrections are mistakes, chosen: no sample of what comes
            checks += [_calibration(present, new, allowed), *_opposite(present, new, allowed)]
    checks += _behaviour(current, candidate, allowed)
    checks += _latency(current, candidate, allowed)
    if allowed.must_improve:
        checks.append(_improves(pairs, allowed))
    return GateReport(
        passed=all(check.passed for check in checks),
        current=(current.name, current.version),
        candidate=(candidate.name, candidate.version),
        checks=checks,
    )


def _pairs(current: Measured, candidate: Measured) -> Iterable[tuple[MeasuredSet, MeasuredSet]]:
    new = {one.name: one for one in candidate.sets}
    for present in current.sets:
        other = new.get(present.name)
        if other is None:
            continue
        if list(other.wanted) != list(present.wanted) or other.role != present.role:
            raise ValueError(f"set {present.name}: the two models were measured on different rows")
        yield present, other


def _missing(current: Measured, candidate: Measured) -> Check:
    """A candidate without a head that is in service takes something away."""
    lost = sorted({one.head for one in current.sets} - {one.head for one in candidate.sets})
    reason = f"it has no head {', '.join(lost)}, which the present model has" if lost else "it has all heads"
    return Check("heads", not lost, reason)


def _wins(present: MeasuredSet, new: MeasuredSet) -> tuple[int, int, int]:
    """Rows; rows that only the candidate gets right; rows that only the present model gets right."""
    rows = list(zip(present.wanted, present.given, new.given, strict=True))
    won = sum(wanted == after != before for wanted, before, after in rows)
    lost = sum(wanted == before != after for wanted, before, after in rows)
    return len(rows), won, lost


def lower_bound(rows: int, won: int, lost: int, alpha: float) -> float:
    """The one-sided lower bound, at risk `alpha`, of the difference in accuracy (see the module's text)."""
    differ = won + lost
    if not differ:
        return 0.0
    least = float(betaincinv(won, lost + 1, alpha)) if won else 0.0
    return (2 * least - 1) * differ / rows


def better_by_chance(won: int, lost: int) -> float:
    """The probability of so many wins or more when both are equally good (McNemar's exact test, one-sided)."""
    return float(betainc(won, lost + 1, 0.5)) if won else 1.0  # the binomial's tail; scipy.stats takes 0.3 s to load


def _accuracy(present: MeasuredSet, new: MeasuredSet, limits: Limits) -> Check:
    rows, won, lost = _wins(present, new)
    bound = lower_bound(rows, won, lost, limits.alpha)
    before, after = _right(present) / rows, _right(new) / rows
    passed = bound >= -limits.accuracy_margin
    said = f"{new.name}: accuracy {after:.4f} after {before:.4f}, {won} rows won and {lost} lost of {rows:,}"
    verdict = "not worse by" if passed else "may be worse by more than"
    return Check(
        f"accuracy of {new.name}",
        passed,
        f"{said}; {verdict} {100 * limits.accuracy_margin:g} points (bound {100 * bound:+.2f})",
        {"rows": rows, "before": before, "after": after, "won": won, "lost": lost, "bound": bound},
    )


def _right(one: MeasuredSet) -> int:
    return sum(wanted == given for wanted, given in zip(one.wanted, one.given, strict=True))


def _opposite(present: MeasuredSet, new: MeasuredSet, limits: Limits) -> list[Check]:
    """Of a head with a direction: how often a row is given a label of the other side."""
    if {-1, 1} - {side_of(label, present.values) for label in present.wanted}:
        return []
    before, after = _opposites(present), _opposites(new)
    return [
        Check(
            f"opposites of {new.name}",
            after <= before + limits.opposite_margin,
            f"{new.name}: {100 * after:.2f} % called the opposite pole after {100 * before:.2f} %",
            {"before": before, "after": after},
        )
    ]


def _opposites(one: MeasuredSet) -> float:
    rows = zip(one.wanted, one.given, strict=True)
    return sum(side_of(wanted, one.values) * side_of(given, one.values) < 0 for wanted, given in rows) / len(one.wanted)


def _calibration(present: MeasuredSet, new: MeasuredSet, limits: Limits) -> Check:
    before, after = present.calibration_error, new.calibration_error
    return Check(
        f"calibration of {new.name}",
        after <= before + limits.calibration_margin,
        f"{new.name}: calibration error {after:.4f} after {before:.4f}",
        {"before": before, "after": after},
    )


def _golden(present: MeasuredSet, new: MeasuredSet, limits: Limits) -> Check:
    _, won, lost = _wins(present, new)
    allowed = int(limits.golden_losses * _right(present))
    return Check(
        f"golden {new.name}",
        lost <= allowed,
        f"{new.name}: {lost} golden rows lost, {allowed} may be; {won} won",
        {"won": won, "lost": lost, "allowed": allowed},
    )


def _behaviour(current: Measured, candidate: Measured, limits: Limits) -> list[Check]:
    before = {kind.name: kind.passed for kind in current.behaviour}
    kinds = [kind for kind in candidate.behaviour if kind.name in before]
    checks = [
        _passes(f"behaviour {kind.name}", before[kind.name], kind.passed, kind.tests, limits.behaviour_kind_share)
        for kind in kinds
    ]
    if kinds:
        tests, passed = sum(kind.tests for kind in kinds), sum(kind.passed for kind in kinds)
        held = sum(before[kind.name] for kind in kinds)
        checks.append(_passes("behaviour in all", held, passed, tests, limits.behaviour_share))
    return checks


def _passes(name: str, before: int, after: int, tests: int, share: float) -> Check:
    return Check(
        name,
        before - after <= share * tests + 1e-9,
        f"{name}: {after} of {tests} tests passed after {before}",
        {"before": before, "after": after, "tests": tests},
    )


def _latency(current: Measured, candidate: Measured, limits: Limits) -> list[Check]:
    if not current.seconds_per_text or not candidate.seconds_per_text:
        return []
    ratio = candidate.seconds_per_text / current.seconds_per_text
    before, after = 1_000 * current.seconds_per_text, 1_000 * candidate.seconds_per_text
    return [
        Check(
            "latency",
            ratio <= limits.latency_ratio,
            f"{after:.2f} ms a text after {before:.2f} ms: {ratio:.2f} times, {limits.latency_ratio:g} may be",
            {"before": current.seconds_per_text, "after": candidate.seconds_per_text, "ratio": ratio},
        )
    ]


def _improves(pairs: Sequence[tuple[MeasuredSet, MeasuredSet]], limits: Limits) -> Check:
    """The best of the paired tests; with several sets each is asked for more (Bonferroni)."""
    found = {present.name: better_by_chance(*_wins(present, new)[1:]) for present, new in pairs}
    name = min(found, key=lambda one: found[one])
    needed = limits.alpha / len(found)
    passed = found[name] <= needed
    reason = f"better on {name}" if passed else f"no set shows that it is better; {name} comes nearest"
    return Check("improvement", passed, f"{reason} (p = {found[name]:.2g}, needed {needed:.2g})", {"p": found[name]})
