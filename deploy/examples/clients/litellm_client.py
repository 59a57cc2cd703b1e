"""LiteLLM on Pointsman: an answer and a stream, under the prefix for servers that speak OpenAI's API.

pip install litellm, then:  POINTSMAN_URL=http://127.0.0.1:8000 python litellm_client.py
"""

import os

import litellm

ASKED = {
    "model": "openai/auto",
    "api_base": os.environ.get("POINTSMAN_URL", "http://127.0.0.1:8000") + "/v1",
    "api_key": os.environ.get("POINTSMAN_KEY", "none"),
}


def main() -> None:
    messages = [{"role": "user", "content": "Where is my parcel PX482913?"}]
    print(litellm.completion(messages=messages, **ASKED).choices[0].message.content)
    messages = [{"role": "user", "content": "What is 57 + 26?"}]
    for chunk in litellm.completion(messages=messages, stream=True, **ASKED):
        print(chunk.choices[0].delta.content or "", end="", flush=True)
    print()


if __name__ == "__main__":
    main()
