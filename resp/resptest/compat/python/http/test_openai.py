"""OpenAI's client through the caching proxy, with a model server of the test's own."""

import asyncio
import http.server
import json
import threading

import nearcache_data
import openai
import pytest
import redis

PROMPT = "How do I reset my password?"
LIKE = "How do I reset my password please?"


class Model(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.server.lock:
            self.server.calls += 1
            n = self.server.calls
        if self.path.endswith("/responses"):
            part = {"type": "output_text", "text": f"answer {n} to {body['input']}", "annotations": []}
            message = {"type": "message", "id": "m", "role": "assistant", "status": "completed", "content": [part]}
            whole = {
                "id": f"r-{n}", "object": "response", "created_at": 1700000000, "status": "completed", "error": None, "model": body["model"],
                "output": [message], "parallel_tool_calls": True, "tool_choice": "auto", "tools": [],
            }
            if not body.get("stream"):
                return self.reply(200, whole)
            self.begin_stream()
            begun = {**whole, "status": "in_progress", "output": []}
            self.event({"type": "response.created", "sequence_number": 0, "response": begun})
            at = {"item_id": "m", "output_index": 0}
            self.event({"type": "response.output_item.added", "sequence_number": 1, "output_index": 0, "item": {**message, "content": []}})
            self.event({"type": "response.content_part.added", "sequence_number": 2, "content_index": 0, "part": {**part, "text": ""}, **at})
            delta = {"type": "response.output_text.delta", "sequence_number": 3, "content_index": 0, "delta": part["text"], "logprobs": [], **at}
            self.event(delta)
            self.event({"type": "response.completed", "sequence_number": 4, "response": whole})
            return
        last = body["messages"][-1]["content"] if "messages" in body else body.get("prompt", "")
        if last == "fail":
            return self.reply(503, {"error": {"message": "overloaded", "type": "server_error"}})
        if body.get("tools"):
            call = {"id": "1", "type": "function", "function": {"name": "clock", "arguments": "{}"}}
            message = {"role": "assistant", "content": None, "tool_calls": [call]}
            choice = {"index": 0, "message": message, "finish_reason": "tool_calls"}
        else:
            message = {"role": "assistant", "content": f"answer {n} to {last}", "refusal": None}
            choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
        base = {"id": f"c-{n}", "created": 1700000000, "model": body["model"]}
        usage = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
        if not body.get("stream"):
            if self.path.endswith("/chat/completions"):
                return self.reply(200, {**base, "object": "chat.completion", "choices": [choice], "usage": usage})
            choice = {"index": 0, "text": message["content"], "finish_reason": "stop", "logprobs": None}
            return self.reply(200, {**base, "object": "text_completion", "choices": [choice], "usage": usage})
        self.begin_stream()
        deltas = [{"role": "assistant", "content": ""}] + [{"content": w + " "} for w in message["content"].split()]
        for d in deltas:
            self.event({**base, "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": d, "finish_reason": None}]})
        end = {"index": 0, "delta": {}, "finish_reason": "stop"}
        self.event({**base, "object": "chat.completion.chunk", "choices": [end]})
        if body.get("stream_options", {}).get("include_usage"):
            self.event({**base, "object": "chat.completion.chunk", "choices": [], "usage": usage})
        self.wfile.write(b"data: [DONE]\n\n")

    def begin_stream(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()

    def event(self, value):
        self.wfile.write(b"data: " + json.dumps(value).encode() + b"\n\n")
        self.wfile.flush()

    def reply(self, status, value):
        text = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


@pytest.fixture
def model():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Model)
    server.daemon_threads = True
    server.calls, server.lock = 0, threading.Lock()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    host, port = nearcache_data.address()
    with redis.Redis(host=host, port=port) as r:
        r.config_set("http-upstream", f"http://127.0.0.1:{server.server_port}/v1")
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def client(url, model):
    with openai.OpenAI(base_url=url + "/v1", api_key="sk-test", max_retries=0) as c:
        yield c


def messages(prompt):
    return [{"role": "system", "content": "Be brief."}, {"role": "user", "content": prompt}]


def ask(client, prompt, **more):
    raw = client.chat.completions.with_raw_response.create(model="tiny", messages=messages(prompt), **more)
    return raw.headers["x-cache"], raw.parse()


def test_answers_and_where_they_come_from(client, model):
    where, first = ask(client, PROMPT, temperature=0)
    assert where == "miss" and first.choices[0].message.content == f"answer 1 to {PROMPT}"
    where, again = ask(client, PROMPT, temperature=0)
    assert where == "exact" and again == first and again.usage.total_tokens == 7
    where, like = ask(client, LIKE, temperature=0)
    assert where == "semantic" and like == first
    assert ask(client, PROMPT, temperature=1)[0] == "miss"
    assert ask(client, PROMPT, temperature=0, extra_headers={"Cache-Control": "no-cache"})[0] == "miss"
    assert ask(client, PROMPT, temperature=0, extra_headers={"X-Cache-Mode": "bypass"})[0] == "bypass"
    assert model.calls == 4


def test_streams(client, model):
    def stream(prompt, **more):
        text, usage = "", None
        with client.chat.completions.create(model="tiny", messages=messages(prompt), stream=True, **more) as s:
            for chunk in s:
                usage = chunk.usage or usage
                for c in chunk.choices:
                    text += c.delta.content or ""
        return text, usage

    first, _ = stream(PROMPT)
    assert first.startswith("answer 1 to How do I") and stream(PROMPT)[0] == first and stream(LIKE)[0] == first
    assert ask(client, PROMPT)[0] == "exact"
    ask(client, "another one entirely")
    text, usage = stream("another one entirely", stream_options={"include_usage": True})
    assert text == "answer 2 to another one entirely" and usage.total_tokens == 7
    assert model.calls == 2


def test_completions_and_embeddings(client, model):
    a = client.completions.create(model="tiny", prompt="once upon a time")
    assert client.completions.create(model="tiny", prompt="once upon a time") == a and model.calls == 1
    e = client.embeddings.create(model="lexical", input=["one", "two"])
    assert len(e.data) == 2 and len(e.data[0].embedding) == 384  # the client asks for base64


def test_responses(client, model):
    def respond(prompt, **more):
        raw = client.responses.with_raw_response.create(model="tiny", input=prompt, **more)
        return raw.headers["x-cache"], raw.parse()

    where, first = respond(PROMPT)
    assert where == "miss" and first.output_text == f"answer 1 to {PROMPT}"
    assert respond([{"role": "user", "content": PROMPT}]) == ("exact", first)
    assert respond(LIKE) == ("semantic", first)
    assert respond(PROMPT, instructions="Be brief.")[0] == "miss"
    assert respond(PROMPT, conversation="c")[0] == "bypass"
    assert model.calls == 3


def test_streams_of_responses(client, model):
    def stream(prompt):
        text, kinds = "", []
        with client.responses.stream(model="tiny", input=prompt) as s:
            for event in s:
                kinds.append(event.type)
                if event.type == "response.output_text.delta":
                    text += event.delta
            return text, kinds, s.get_final_response()

    text, kinds, first = stream(PROMPT)
    assert text == f"answer 1 to {PROMPT}" == first.output_text and kinds[-1] == "response.completed"
    for prompt in (PROMPT, LIKE):
        again, kinds, response = stream(prompt)
        assert again == text and response.output == first.output and response.id == first.id
        assert kinds[0] == "response.created" and kinds[-1] == "response.completed"
    assert client.responses.create(model="tiny", input=PROMPT).output_text == text
    assert model.calls == 1


def test_failures_and_tools_are_not_kept(client, model):
    for n in range(2):
        with pytest.raises(openai.InternalServerError):
            ask(client, "fail")
        assert model.calls == n + 1
    tools = [{"type": "function", "function": {"name": "clock", "parameters": {"type": "object", "properties": {}}}}]
    for _ in range(2):
        where, a = ask(client, "what time is it", tools=tools)
        assert where == "miss" and a.choices[0].message.tool_calls[0].function.name == "clock"


def test_asyncio_and_a_crowd(url, model):
    async def run():
        async with openai.AsyncOpenAI(base_url=url + "/v1", api_key="sk-test") as client:
            answers = await asyncio.gather(
                *(client.chat.completions.create(model="tiny", messages=messages(PROMPT)) for _ in range(30))
            )
            assert len({a.choices[0].message.content for a in answers}) == 1
            text = ""
            async for chunk in await client.chat.completions.create(model="tiny", messages=messages(PROMPT), stream=True):
                text += chunk.choices[0].delta.content or ""
            assert text == answers[0].choices[0].message.content

    asyncio.run(run())
    assert model.calls == 1
