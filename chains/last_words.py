"""What the react chain says itself where the model's run ends without an answer, in the user's language."""

from __future__ import annotations

from collections.abc import Sequence

from chains.dialects import NAMELESS
from chains.errors import StepsExhausted, ToolGivenUp
from chains.events import ChainRequest, Message
from chains.messages import in_chinese


def last_words(request: ChainRequest, why: StepsExhausted | ToolGivenUp) -> str:
    """One sentence: what could not be done, and which tool it was for."""
    if isinstance(why, ToolGivenUp):
        return _given_up(request.messages, why)
    return _unfinished(request.messages, request.limits.steps)


def _unfinished(conversation: Sequence[Message], steps: int) -> str:
    """Where the bound on steps cut the run."""
    return (
        f"抱歉，我在{steps}个步骤内没能完成这个请求。"
        if in_chinese(conversation)
        else f"Sorry, I could not finish this within {steps} steps."
    )


def _given_up(conversation: Sequence[Message], why: ToolGivenUp) -> str:
    """Where tools failed, or what was to be the call of one."""
    if in_chinese(conversation):
        if why.names == (NAMELESS,):
            how = "我两次写出的工具调用都无法读取" if why.twice else "我写出的工具调用无法读取"
        else:
            how = f"{'、'.join(why.names)} 失败了{'两次' if why.twice else ''}"
        return f"抱歉，这个请求没能完成：{how}。"
    if why.names == (NAMELESS,):
        how = f"{'twice ' if why.twice else ''}I wrote a tool call that can't be read"
    else:
        how = f"{' and '.join(why.names)} failed{' twice' if why.twice else ''}"
    return f"Sorry, I could not do this: {how}."
