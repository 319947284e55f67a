"""Transports of new weights against the real vLLM; the GPU's two as far as a CPU goes."""

import asyncio
import dataclasses
import importlib.util

import pytest
import torch

from saccade.agents.engines.base import Prompt, SamplingParams
from saccade.agents.engines.vllm import VLLMEngine, VLLMEngineConfig
from saccade.agents.engines.vllm_async import AsyncClient, OwnProcess
from saccade.agents.engines.vllm_core import EngineError
from saccade.agents.engines.vllm_start import require_vllm
from saccade.agents.engines.vllm_step import StepClient
from saccade.agents.engines.vllm_transfer import SERIALIZE, Stream, allow_handles, engine_devices, trainer_info
from saccade.agents.engines.vllm_weights import Weights
from saccade.agents.load import load_model
from saccade.envs.errors import ConfigError

pytestmark = [
    pytest.mark.vllm,
    pytest.mark.skipif(importlib.util.find_spec("vllm") is None, reason="vllm is not installed"),
]
ONE, TWO, THREE = (torch.device(name) for name in ("cuda:0", "cuda:1", "cuda:2"))


@pytest.fixture(autouse=True)
def prepared():
    require_vllm()


@pytest.fixture(scope="module")
def served(tiny_path):
    """A model whose weights the tests change, and a vLLM that is to follow."""
    backbone, chat = load_model(tiny_path)
    engine = VLLMEngine(tiny_path, chat, VLLMEngineConfig(retries=0), max_context=256)
    yield backbone, engine
    engine.close()


def test_workers_are_where_the_arguments_say(tiny_path):
    from vllm import EngineArgs

    assert engine_devices(EngineArgs(str(tiny_path))) == [torch.device("cpu")]  # this machine's vLLM


def test_gpus_are_counted_and_named_by_number(tiny_path, monkeypatch):
    from vllm import EngineArgs
    from vllm.platforms import current_platform

    monkeypatch.setattr(type(current_platform), "is_cpu", lambda self: False)
    assert engine_devices(EngineArgs(str(tiny_path))) == [ONE]
    assert engine_devices(EngineArgs(str(tiny_path), tensor_parallel_size=2)) == [ONE, TWO]
    assert engine_devices(EngineArgs(str(tiny_path), tensor_parallel_size=2, device_ids=[1, 2])) == [TWO, THREE]
    copies = EngineArgs(str(tiny_path), tensor_parallel_size=1, data_parallel_size=2, device_ids=[1, 2])
    assert engine_devices(copies) == [TWO, THREE]
    for ids in ([1], ["GPU-1", "GPU-2"]):
        with pytest.raises(ConfigError, match="numbers of 2 GPUs"):
            engine_devices(EngineArgs(str(tiny_path), tensor_parallel_size=2, device_ids=ids))


def test_an_engine_on_a_cpu_refuses_the_gpus_transports(agent, tiny_path):
    for name in ("ipc", "nccl"):
        with pytest.raises(ConfigError, match="the learner is on cpu and vLLM on cpu: take 'file'"):
            VLLMEngine(tiny_path, agent.chat, VLLMEngineConfig(transport=name))


def test_both_ends_of_vllm_agree_with_what_they_are_given():
    """vLLM's own classes: registries, handshake, and the checks of a sender on the stream that it reads."""
    from vllm.distributed.weight_transfer import VLLMWeightSyncClient, WeightTransferTrainerFactory
    from vllm.distributed.weight_transfer.nccl_common import NCCLWeightTransferInitInfo, worker_init_payload
    from vllm.distributed.weight_transfer.nccl_engine import (
        NCCLTrainerWeightTransferEngine,
        NCCLWeightTransferUpdateInfo,
    )

    assert isinstance(StepClient(None), VLLMWeightSyncClient)
    assert isinstance(AsyncClient(None, None), VLLMWeightSyncClient)
    for transport in ("ipc", "nccl"):
        info = trainer_info(transport, workers=2)
        assert info.backend == transport and info.is_sender
        trainer = WeightTransferTrainerFactory._registry[transport]()
        assert isinstance(info, trainer.init_info_cls)
    assert (info.world_size, info.master_address) == (3, "127.0.0.1") and info.master_port > 0
    shared = {name: getattr(info, name) for name in ("master_address", "master_port", "world_size", "packed")}
    payload = worker_init_payload(NCCLWeightTransferInitInfo(rank_offset=1, **shared))
    assert NCCLWeightTransferInitInfo(**payload).world_size == 3

    model, stream = torch.nn.Linear(3, 2).to(torch.bfloat16), Stream()
    stream.tensors = Weights.live(model.named_parameters(), 1).tensors
    meta = stream.metadata()
    sent = list(NCCLTrainerWeightTransferEngine._checked_iter(stream, meta))
    assert [name for name, _ in sent] == ["weight", "bias"] and all(not tensor.requires_grad for _, tensor in sent)
    names = [str(each.dtype).removeprefix("torch.") for each in meta]
    NCCLWeightTransferUpdateInfo([each.name for each in meta], names, [list(each.shape) for each in meta])
    assert list(stream) == list(stream)  # each update reads it from the start


def handles():
    """An `ipc` update of one tensor, with made-up bytes where the driver's would be."""
    from vllm.distributed.weight_transfer.ipc_engine import IPCWeightTransferUpdateInfo

    tensor = torch.ones(2, 3)
    handle = (torch.Tensor, tensor.size(), tensor.stride(), 0, torch.storage.TypedStorage, tensor.dtype)
    handle += (0, b"\x00handle", 24, 0, False, b"\x01counter", 0, b"\x02event", True)
    return IPCWeightTransferUpdateInfo(["w"], ["float32"], [[2, 3]], [{"GPU-1": handle}])


def test_handles_of_cuda_memory_survive_vllm_s_serializer(monkeypatch):
    from vllm.envs import disable_envs_cache
    from vllm.v1.serial_utils import MsgpackDecoder, MsgpackEncoder

    disable_envs_cache()
    info = handles()
    (sent,) = info.ipc_handles
    call = (0, 1, "collective_rpc", ("update_weights", None, (), {"update_info": dataclasses.asdict(info)}))
    monkeypatch.setenv(SERIALIZE, "1")  # so that it is as before after the test
    monkeypatch.delenv(SERIALIZE)
    with pytest.raises(TypeError, match=SERIALIZE):
        MsgpackEncoder().encode(call)
    allow_handles()
    *_, (*_, named) = MsgpackDecoder().decode(MsgpackEncoder().encode(call))
    (found,) = type(info)(**named["update_info"]).ipc_handles
    assert list(map(plain, found["GPU-1"])) == list(map(plain, sent["GPU-1"]))


def plain(value):
    return tuple(value) if isinstance(value, list | tuple) else value


def test_a_worker_s_ipc_end_gets_as_far_as_cuda(served, monkeypatch):
    """In a process of its own, as on a GPU: the handshake, the handles and the version arrive."""
    from vllm.config import WeightTransferConfig

    monkeypatch.setenv(SERIALIZE, "1")
    allow_handles()
    _, engine = served  # in this process: vLLM has read its environment
    arguments = dataclasses.replace(engine._arguments, weight_transfer_config=WeightTransferConfig(backend="ipc"))

    async def drive():
        driver = OwnProcess(arguments)
        client = AsyncClient(driver.engine, asyncio.get_running_loop())
        try:
            await asyncio.to_thread(talk, client)
            assert await driver.engine.get_weight_version() == "5"
        finally:
            driver.close()

    def talk(client):
        client.init_weight_transfer_engine({"packed": trainer_info("ipc", 1).packed})
        client.start_weight_update()
        with pytest.raises(Exception, match="not compiled with CUDA"):
            client.update_weights(dataclasses.asdict(handles()))
        client.start_weight_update()
        client.version = 5
        client.finish_weight_update()

    asyncio.run(drive())


def change(backbone):
    with torch.no_grad():
        for weight in backbone.model.parameters():
            weight.mul_(1.01)


def draw(engine, count=1):
    prompt, params = Prompt(tuple(range(70, 90))), SamplingParams(8)

    async def all_of_them():
        return await asyncio.gather(*(engine.generate(prompt, params, seed, "") for seed in range(count)))

    return asyncio.run(all_of_them())


def test_updates_go_through_vllm_s_api_which_labels_every_token(served):
    backbone, engine = served
    assert engine.transport == "file" and {version for each in draw(engine) for version in each.versions} == {0}

    async def end(driver):
        return driver.engine.collective_rpc(lambda worker: type(worker.weight_transfer_engine).__name__)

    async def label(driver):
        return driver.engine.get_weight_version()

    assert engine._core._call(end).result() == ["FileWeightTransferEngine"]
    seen = [draw(engine)[0].logprobs[0]]
    for version in (1, 2, 7):
        change(backbone)
        engine.update(backbone.weights(), version)
        assert engine._core._call(label).result() == str(version)
        replies = draw(engine, 4)
        assert all(each.versions == (version,) * len(each.ids) for each in replies) and replies[0].ids
        seen.append(replies[0].logprobs[0])
    assert len({round(each, 6) for each in seen}) == len(seen)  # each update moved the same prompt


def test_a_file_that_is_no_model_costs_the_engine_not_its_weights(served, tmp_path):
    _, engine = served
    core, version = engine._core, engine.version + 1
    bad = Weights.saved([("model.language_model.embed_tokens.weight", torch.ones(2, 2))], version, tmp_path)
    with pytest.raises(AssertionError):  # of a shape, in vLLM
        engine._wait(core, core.load(bad))
    assert core.lost is not None
    (reply,) = draw(engine)
    assert engine._core is not core and set(reply.versions) == {engine.version}


def test_a_lost_engine_is_not_given_weights_that_have_changed(served):
    backbone, engine = served
    kept = engine._weights
    engine._weights = Weights.live(backbone.weights(), engine.version)  # as under ipc and nccl
    engine._core.lose("the test says so")
    change(backbone)
    with pytest.raises(EngineError, match=r"the test says so.* update the engine first"):
        draw(engine)
    engine._weights = kept
    engine.update(backbone.weights(), engine.version + 1)
    (reply,) = draw(engine)
    assert set(reply.versions) == {engine.version}
