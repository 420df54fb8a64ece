"""Streaming chats for locust: each user asks again as soon as it is answered, until N were asked in all. What they waited for
goes to FERRY_LOCUST_OUT as JSON."""
import json
import os
import time

from locust import HttpUser, constant, events, task

N = int(os.environ["FERRY_LOCUST_REQUESTS"])
MAX_TOKENS = int(os.environ["FERRY_LOCUST_TOKENS"])
asked = 0
answers = []


class Chat(HttpUser):
    wait_time = constant(0)

    @task
    def ask(self):
        global asked
        if asked == N:
            return self.environment.runner.quit() if len(answers) == N else time.sleep(0.01)
        asked += 1
        begun, first, n = time.perf_counter(), None, 0
        body = {"messages": [{"role": "user", "content": f"Tell me {asked}"}], "max_tokens": MAX_TOKENS, "temperature": 0,
                "ignore_eos": True, "stream": True}
        with self.client.post("/v1/chat/completions", json=body, stream=True, catch_response=True) as answer:
            for line in answer.iter_lines(chunk_size=None):
                if not line.startswith(b"data: {"):
                    continue
                if json.loads(line[6:])["choices"][0]["delta"].get("content"):
                    first = first or time.perf_counter()
                    n += 1
            if answer.status_code != 200 or n == 0:
                answer.failure(f"{answer.status_code}, {n} pieces")
        answers.append({"begun": begun, "ttft_ms": (first - begun) * 1000, "e2e_ms": (time.perf_counter() - begun) * 1000,
                        "pieces": n})


@events.quitting.add_listener
def write(environment, **_):
    with open(os.environ["FERRY_LOCUST_OUT"], "w", encoding="utf-8") as out:
        json.dump({"answers": answers, "failures": environment.stats.total.num_failures}, out)
