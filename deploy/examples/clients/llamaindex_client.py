"""LlamaIndex on Pointsman: an answer, a stream, and vectors of the router's encoder.

pip install llama-index-llms-openai-like llama-index-embeddings-openai-like, then:
POINTSMAN_URL=http://127.0.0.1:8000 python llamaindex_client.py
"""

import os

from llama_index.core.llms import ChatMessage
from llama_index.embeddings.openai_like import OpenAILikeEmbedding
from llama_index.llms.openai_like import OpenAILike

URL = os.environ.get("POINTSMAN_URL", "http://127.0.0.1:8000") + "/v1"
KEY = os.environ.get("POINTSMAN_KEY", "none")


def main() -> None:
    model = OpenAILike(
        model="auto", api_base=URL, api_key=KEY, is_chat_model=True, is_function_calling_model=True
    )
    print(model.chat([ChatMessage("Where is my parcel PX482913?")]).message.content)
    for piece in model.stream_chat([ChatMessage("Thank you very much!")]):
        print(piece.delta, end="", flush=True)
    print()
    encoder = OpenAILikeEmbedding(model_name="auto", api_base=URL, api_key=KEY)
    print(len(encoder.get_text_embedding("a late parcel")), "dimensions")


if __name__ == "__main__":
    main()
