"""One-time codes on PostgreSQL: guesses are counted whatever happens at once, and a stolen table reveals no code."""

import asyncio
import re
from typing import Any

import asyncpg
import pytest

from clarion.router.v1 import codes_pb2
from runtime.errors import ClarionError, Code
from runtime.ids import new_id
from services.domain.pseudonyms import Pseudonyms
from services.router.codes import code as rules
from services.router.codes.servicer import CodeServicer
from services.router.codes.store import CodeStore

VERIFIED, WRONG = codes_pb2.CODE_OUTCOME_VERIFIED, codes_pb2.CODE_OUTCOME_WRONG
EXPIRED, LOCKED, USED = codes_pb2.CODE_OUTCOME_EXPIRED, codes_pb2.CODE_OUTCOME_LOCKED, codes_pb2.CODE_OUTCOME_USED
SUBJECT, MEMO = "email:ada@example.org", b'{"template":"otp"}'


class Codes:
    """CodeService of one router."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
        self.pool = pool
        self.tenant_id = new_id()
        self.store = CodeStore(pool, Pseudonyms("k" * 32))
        self.servicer = CodeServicer(self.store)

    async def create(self, **fields: Any) -> codes_pb2.CreateCodeResponse:
        """Make a code."""
        wire = {"tenant_id": self.tenant_id, "subject": SUBJECT, "memo": MEMO, **fields}
        return await self.servicer.CreateCode(codes_pb2.CreateCodeRequest(**wire), None)

    async def renew(self, token: str, **fields: Any) -> codes_pb2.RenewCodeResponse:
        """Make another code."""
        wire = {"tenant_id": self.tenant_id, "session_token": token, **fields}
        return await self.servicer.RenewCode(codes_pb2.RenewCodeRequest(**wire), None)

    async def check(self, token: str, code: str, **fields: Any) -> codes_pb2.CheckCodeResponse:
        """Make an attempt."""
        wire = {"tenant_id": self.tenant_id, "session_token": token, "code": code, **fields}
        return await self.servicer.CheckCode(codes_pb2.CheckCodeRequest(**wire), None)

    async def outcome(self, token: str, code: str) -> tuple[int, int]:
        """Return an attempt's outcome, and how many are left."""
        answer = await self.check(token, code)
        return answer.outcome, answer.attempts_left

    async def pass_time(self, seconds: int) -> None:
        """Let so much time go by for everything that is stored."""
        await self.pool.execute(
            "UPDATE router.codes SET created_at = created_at - $1 * interval '1 s',"
            " made_at = made_at - $1 * interval '1 s', expires_at = expires_at - $1 * interval '1 s'",
            seconds,
        )


@pytest.fixture
def codes(pool: "asyncpg.Pool[asyncpg.Record]") -> Codes:
    """The service on a database of its own."""
    return Codes(pool)


def other(code: str) -> str:
    """Return a wrong code."""
    return f"{(int(code) + 1) % 10 ** len(code):0{len(code)}}"


async def refused(call: Any) -> ClarionError:
    """Return the error that a call raises."""
    with pytest.raises(ClarionError) as caught:
        await call
    return caught.value


async def test_the_right_code_is_good_once(codes: Codes) -> None:
    """The caller learns whom it was for, and gets the memo with the right code, and again later."""
    made = await codes.create()
    assert re.fullmatch(r"\d{6}", made.code)
    wrong = await codes.check(made.session_token, other(made.code))
    answer = await codes.check(made.session_token, made.code)
    assert (answer.outcome, answer.subject, answer.session_id) == (VERIFIED, SUBJECT, made.session_id)
    used = await codes.check(made.session_token, made.code)
    assert (used.outcome, wrong.memo, answer.memo, used.memo) == (USED, b"", MEMO, MEMO)
    assert (await refused(codes.renew(made.session_token))).code is Code.NOT_FOUND


async def test_wrong_codes_use_up_the_attempts(codes: Codes) -> None:
    """After the last one the right code is good for nothing, and there is no other one."""
    made = await codes.create(max_attempts=3, digits=8)
    assert len(made.code) == 8
    found = [await codes.outcome(made.session_token, other(made.code)) for _ in range(4)]
    assert found == [(WRONG, 2), (WRONG, 1), (WRONG, 0), (LOCKED, 0)]
    assert await codes.outcome(made.session_token, made.code) == (LOCKED, 0)
    assert (await refused(codes.renew(made.session_token))).code is Code.NOT_FOUND


async def test_guesses_at_the_same_time_are_all_counted(codes: Codes) -> None:
    """Of fifty at once five are attempts, over two routers; the right one among those that come too late fails."""
    made, second = await codes.create(), CodeServicer(CodeStore(codes.pool, Pseudonyms("k" * 32)))
    wire = codes_pb2.CheckCodeRequest(
        tenant_id=codes.tenant_id, session_token=made.session_token, code=other(made.code)
    )
    routers = [codes.servicer, second] * 25
    answers = await asyncio.gather(*[router.CheckCode(wire, None) for router in routers])
    outcomes = [answer.outcome for answer in answers]
    assert (outcomes.count(WRONG), outcomes.count(LOCKED)) == (5, 45)
    assert sorted(answer.attempts_left for answer in answers if answer.outcome == WRONG) == [0, 1, 2, 3, 4]


async def test_of_equal_right_codes_one_is_verified(codes: Codes) -> None:
    """A code that is entered twice at the same time opens one door."""
    made = await codes.create()
    answers = await asyncio.gather(*[codes.check(made.session_token, made.code) for _ in range(20)])
    outcomes = [one.outcome for one in answers]
    assert (outcomes.count(VERIFIED), outcomes.count(USED)) == (1, 19)


async def test_a_code_expires(codes: Codes) -> None:
    """The caller is told for an hour; then nothing is left of it."""
    made = await codes.create(ttl_s=3600)
    await codes.pass_time(3000)
    assert await codes.outcome(made.session_token, other(made.code)) == (WRONG, 4)
    await codes.pass_time(600)
    assert await codes.outcome(made.session_token, made.code) == (EXPIRED, 4)
    assert (await refused(codes.renew(made.session_token))).code is Code.NOT_FOUND
    assert await codes.store.delete_old() == 0
    await codes.pass_time(3600)
    assert await codes.store.delete_old() == 1
    assert (await refused(codes.check(made.session_token, made.code))).code is Code.NOT_FOUND


async def test_another_code_for_the_same_session(codes: Codes) -> None:
    """The old one is wrong then, there are all attempts again, and the caller gets what it needs to send it."""
    made = await codes.create(ttl_s=3600, resend_after_s=1800)
    await codes.outcome(made.session_token, other(made.code))
    await codes.pass_time(1000)
    early = await refused(codes.renew(made.session_token))
    assert early.code is Code.CONFLICT
    assert 700 < early.retry_after <= 800
    await codes.pass_time(800)
    again = await codes.renew(made.session_token)
    assert (again.session_id, again.memo) == (made.session_id, MEMO)
    assert again.expires_at_us > made.expires_at_us
    await codes.pass_time(2000)  # the first code's time is over, this one's is not
    if again.code != made.code:
        assert await codes.outcome(made.session_token, made.code) == (WRONG, 4)
    assert (await codes.outcome(made.session_token, again.code))[0] == VERIFIED


async def test_a_session_has_six_codes_at_most(codes: Codes) -> None:
    """Of calls at the same time one makes a code."""
    made = await codes.create(ttl_s=3600, resend_after_s=1)
    for _ in range(rules.MAX_RENEWALS):
        await codes.pass_time(1)
        calls = [codes.renew(made.session_token) for _ in range(4)]
        answers = await asyncio.gather(*calls, return_exceptions=True)
        assert [isinstance(one, codes_pb2.RenewCodeResponse) for one in answers].count(True) == 1
        assert {one.code for one in answers if isinstance(one, ClarionError)} == {Code.CONFLICT}
    await codes.pass_time(1)
    assert "5 further codes" in (await refused(codes.renew(made.session_token))).detail


async def test_a_subject_has_so_many_sessions_an_hour(codes: Codes) -> None:
    """Each allows some guesses, so their number is bounded, at the same time too; others are not held up."""
    calls = [codes.create() for _ in range(rules.MAX_PER_HOUR + 5)]
    answers = await asyncio.gather(*calls, return_exceptions=True)
    errors = [one for one in answers if isinstance(one, ClarionError)]
    assert [error.code for error in errors] == [Code.LIMITED] * 5
    assert all(3500 < error.retry_after <= 3600 for error in errors)
    await codes.create(subject="email:grace@example.org")
    await codes.create(scope="another team")
    await codes.create(tenant_id=new_id())
    await codes.pass_time(3601)
    await codes.create()


async def test_a_session_is_its_tenants_own(codes: Codes) -> None:
    """Another tenant, or another token, finds nothing."""
    made = await codes.create()
    for found in (
        await refused(codes.check(made.session_token, made.code, tenant_id=new_id())),
        await refused(codes.renew(made.session_token, tenant_id=new_id())),
        await refused(codes.check(made.session_id, made.code)),
    ):
        assert found.code is Code.NOT_FOUND
    assert (await codes.outcome(made.session_token, made.code))[0] == VERIFIED


async def test_a_stolen_table_reveals_no_code(codes: Codes) -> None:
    """It has neither code nor token, and without the key all codes can be tried without finding the hash."""
    long = await codes.create(digits=10)
    stored = repr(await codes.pool.fetch("SELECT * FROM router.codes"))
    assert long.session_token not in stored
    assert long.code not in stored
    made = await codes.create(digits=4)
    row = await codes.pool.fetchrow("SELECT * FROM router.codes WHERE digits = 4")
    assert row is not None
    token_hash, code_hash = row["token_hash"], row["code_hash"]
    guesses = {Pseudonyms("x" * 32).code(token_hash, f"{number:04}") for number in range(10_000)}
    assert code_hash not in guesses
    assert code_hash == Pseudonyms("k" * 32).code(token_hash, made.code)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("tenant_id", "x"),
        ("subject", ""),
        ("subject", "x" * 256),
        ("subject", "a\x00b"),
        ("scope", "\n"),
        ("digits", 3),
        ("digits", 11),
        ("ttl_s", 29),
        ("ttl_s", 3601),
        ("max_attempts", 11),
        ("max_attempts", -1),
        ("resend_after_s", 3601),
        ("memo", b"x" * 4097),
    ],
)
async def test_what_is_wrong_is_named(codes: Codes, field: str, value: Any) -> None:
    """Nothing is made then."""
    error = await refused(codes.create(**{field: value}))
    assert (error.code, [name for name, _ in error.fields]) == (Code.INVALID, [field])


async def test_hostile_codes_and_tokens(codes: Codes) -> None:
    """They are wrong, or refused, and never an error of ours."""
    made = await codes.create(max_attempts=10)
    for code in ("\x00", "' OR 1=1 --", "१२३४५६", "9" * 64):
        assert (await codes.check(made.session_token, code)).outcome == WRONG
    for token, code in (("", "1"), ("x" * 256, "1"), (made.session_token, ""), (made.session_token, "9" * 65)):
        assert (await refused(codes.check(token, code))).code is Code.INVALID
    assert (await refused(codes.check("\x00", "1"))).code is Code.NOT_FOUND
