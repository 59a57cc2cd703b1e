"""LangChain on Pointsman: an answer, a stream with what was decided, and a tool of one's own.

pip install langchain-openai, then:  POINTSMAN_URL=http://127.0.0.1:8000 python langchain_client.py
"""

import os

from langchain_core.messages import HumanMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI

PARCEL = "Where is my parcel PX482913?"


@tool
def track_parcel(parcel_id: str) -> dict[str, str]:
    """Find where a parcel is: its status, its city and the day it is expected."""
    return {"parcel_id": parcel_id, "status": "in_transit", "city": "Lyon", "expected": "2026-11-28"}


def main() -> None:
    model = ChatOpenAI(
        model="auto",
        base_url=os.environ.get("POINTSMAN_URL", "http://127.0.0.1:8000") + "/v1",
        api_key=os.environ.get("POINTSMAN_KEY", "none"),
        include_response_headers=True,  # x-pointsman-intent and its like
        stream_usage=True,  # LangChain leaves it off for servers other than OpenAI's
    )
    answer = model.invoke(PARCEL)  # the server's own tools answer this
    print(answer.response_metadata["headers"]["x-pointsman-intent"], "→", answer.text)
    for chunk in model.stream("Thank you very much!"):
        print(chunk.text, end="", flush=True)
    print()

    messages = [HumanMessage(PARCEL)]  # a client that brings tools gets the calls, and makes them itself
    called = model.bind_tools([track_parcel]).invoke(messages)
    messages += [called, *(track_parcel.invoke(call) for call in called.tool_calls)]
    print(model.bind_tools([track_parcel]).invoke(messages).text)


if __name__ == "__main__":
    main()
