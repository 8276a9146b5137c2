"""The ILM policy, which only full servers know: what is put where, against an HTTP stub."""

from __future__ import annotations

from streams.archive.elastic.archive import ElasticArchive
from streams.archive.elastic.options import ElasticOptions
from tests.archive.elastic_stub import ElasticStub, Reply, running_stub

NO_INDEX = Reply()
NOTHING = Reply(404, {"error": {"type": "resource_not_found_exception", "reason": "none"}, "status": 404})
MANAGED = {"template": {"settings": {"index": {"lifecycle": {"name": "p-items"}}}}, "version": 1}


async def set_up(stub: ElasticStub, *, lifecycle: bool) -> dict[str, str]:
    """The policy that each template names, by template."""
    archive = ElasticArchive(stub.url, ElasticOptions(prefix="p-", retention_days=30))
    await archive.setup(lifecycle=lifecycle)
    await archive.close()
    bodies = {call.rpartition("/")[2]: lines for call, lines in zip(stub.calls, stub.requests, strict=True)}
    templates = {name: lines[0] for name, lines in bodies.items() if lines and "index_patterns" in lines[0]}
    return {name: body["template"]["settings"].get("index.lifecycle.name", "") for name, body in templates.items()}


async def test_a_policy_deletes_days_and_leaves_the_overflow_alone() -> None:
    async with running_stub(NOTHING, NO_INDEX) as stub:
        named = await set_up(stub, lifecycle=True)
        policy = stub.calls.index("PUT /_ilm/policy/p-items")
        assert stub.requests[policy][0]["policy"]["phases"]["delete"]["min_age"] == "31d"
        assert {name for name, policy in named.items() if policy} == {"p-hours", "p-items"}
        assert "p-overflow" in named


async def test_a_later_set_up_keeps_the_policy() -> None:
    present = Reply(body={"index_templates": [{"name": "p-items", "index_template": MANAGED}]})
    async with running_stub(present, NO_INDEX, NO_INDEX) as stub:
        named = await set_up(stub, lifecycle=False)
        assert named["p-items"] == "p-items"
        assert not any("_ilm" in call for call in stub.calls)


async def test_without_one_nothing_asks_for_ilm() -> None:
    async with running_stub(NOTHING, NO_INDEX) as stub:
        named = await set_up(stub, lifecycle=False)
        assert set(named.values()) == {""}
        assert "p-overflow" not in named
