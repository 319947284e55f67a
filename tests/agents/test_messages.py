"""Episodes of a model behind an API: messages instead of tokens, in the same runner."""

import pytest
from chat_server import walk_by_sight

from saccade.agents.agent import AgentConfig
from saccade.agents.messages import MessageAgent
from saccade.agents.runner import Job, Runner, RunnerConfig
from saccade.agents.usage import Usage
from saccade.envs.episode import Cause
from saccade.envs.errors import ConfigError


def play(agent, walk, count=6, policy="engine", concurrency=4, seed=0):
    runner = Runner(agent, RunnerConfig(concurrency=concurrency), policy)
    done = runner.run([Job(walk.task(n)) for n in range(count)], seed=seed)
    runner.close()
    return done


def test_episodes_are_played_and_nothing_of_them_can_be_trained_on(server, engine, walk):
    server.answer = walk_by_sight
    done = play(MessageAgent(engine(), AgentConfig()), walk)
    assert [each.episode.cause for each in done] == [Cause.GOAL] * 6
    assert all(each.samples == () and not each.tokens_per_turn().any() for each in done)
    assert all(all(each.thoughts_right) and all(each.well_formed) for each in done)
    longest = max(done, key=lambda each: len(each.episode.steps))
    turns = len(longest.episode.steps)
    assert turns >= 3 and len(server.bodies) == sum(len(each.episode.steps) for each in done)
    assert longest.usage == tuple(Usage(100 * (2 + 2 * turn), 10) for turn in range(turns))
    last = max(server.bodies, key=lambda body: len(body["messages"]))["messages"]
    assert [message["role"] for message in last] == ["system", *["user", "assistant"] * (turns - 1), "user"]
    assert last[0]["content"] == longest.episode.instructions
    said = [message["content"] for message in last if message["role"] == "assistant"]
    assert said == [step.reply for step in longest.episode.steps][:-1]


def test_seeds_name_the_random_numbers_of_a_reply(server, engine, walk):
    agent = MessageAgent(engine(), AgentConfig(temperature=0.5))
    seeds = []
    for seed in (0, 0, 1):
        server.bodies.clear()
        play(agent, walk, count=2, concurrency=1, seed=seed)
        assert {body["temperature"] for body in server.bodies} == {0.5}
        seeds.append([body["seed"] for body in server.bodies])
    assert seeds[0] == seeds[1] != seeds[2] and len(set(seeds[0])) == len(seeds[0])
    assert all(0 <= seed < 2**31 for seed in seeds[0])


def test_a_server_that_stays_away_ends_its_episodes_and_the_others_go_on(server, engine, walk):
    server.answer = walk_by_sight
    server.faults += [None, None, 500, 500]
    done = play(MessageAgent(engine(retries=1), AgentConfig()), walk, concurrency=1)
    causes = [each.episode.cause for each in done]
    assert causes.count(Cause.ENGINE) == 1 and causes.count(Cause.GOAL) == 5
    lost = next(each for each in done if each.episode.cause is Cause.ENGINE)
    assert "told to fail" in lost.episode.failure and len(lost.usage) == len(lost.episode.steps)
    assert not lost.episode.rule.trained and not lost.episode.rule.in_baseline


def test_a_full_context_ends_an_episode_by_our_count_and_by_the_servers(server, engine, walk):
    server.answer = lambda body: "nonsense"
    agent = MessageAgent(engine(), AgentConfig(max_context=450, max_reply_tokens=60))  # 210, 410: no third
    for each in play(agent, walk):
        assert each.episode.cause is Cause.CONTEXT and len(each.episode.steps) == 2
    server.faults += [None, (400, {}, {"error": {"message": "full", "code": "context_length_exceeded"}})]
    done = play(MessageAgent(engine(), AgentConfig()), walk, count=1)[0]
    assert (done.episode.cause, len(done.episode.steps)) == (Cause.CONTEXT, 1)
    assert "full" in done.episode.failure


def test_a_cut_reply_ends_an_episode(server, engine, walk):
    server.finish = "length"
    done = play(MessageAgent(engine(), AgentConfig()), walk, count=1)[0]
    assert done.episode.cause is Cause.LENGTH and done.episode.steps[0].action is None


def test_settings_to_mend_stop_everything(server, engine, walk):
    server.forever = 401
    with pytest.raises(ConfigError, match="SACCADE_TEST_KEY"):
        play(MessageAgent(engine(), AgentConfig()), walk)


def test_scripts_write_messages_too(server, engine, walk):
    done = play(MessageAgent(engine(), AgentConfig()), walk, policy="demo")
    assert all(each.episode.success for each in done) and not server.bodies
    assert all(step.thought.startswith("go") for each in done for step in each.episode.steps)
