"""Worlds: what can be seen and done, and what it is worth. Knows nothing of models.

Importing this package registers every environment and imports none: torch, playwright and mujoco load when used.

    import gymnasium as gym
    import saccade.envs
    env = gym.make("saccade/Shapes-v0", split="train", level=1)
"""

import gymnasium as gym

from saccade.envs.gui.miniwob_tasks import TASKS

ENVIRONMENTS: dict[str, str] = {
    "saccade/ClickTarget-v0": "saccade.envs.gui.env:ClickTarget",
    "saccade/ClickWord-v0": "saccade.envs.gui.words:ClickWord",
    "saccade/ShopOrder-v0": "saccade.envs.gui.sites.shop:ShopOrder",
    "saccade/MailReply-v0": "saccade.envs.gui.sites.mail:MailReply",
    "saccade/MailForward-v0": "saccade.envs.gui.sites.mail:MailForward",
    "saccade/MailSort-v0": "saccade.envs.gui.sites.mail:MailSort",
    "saccade/MailContact-v0": "saccade.envs.gui.sites.mail:MailContact",
    "saccade/CalendarAdd-v0": "saccade.envs.gui.sites.calendar:CalendarAdd",
    "saccade/CalendarMove-v0": "saccade.envs.gui.sites.calendar:CalendarMove",
    "saccade/CalendarCancel-v0": "saccade.envs.gui.sites.calendar:CalendarCancel",
    "saccade/ForumReply-v0": "saccade.envs.gui.sites.forum:ForumReply",
    "saccade/ForumVote-v0": "saccade.envs.gui.sites.forum:ForumVote",
    "saccade/ForumReport-v0": "saccade.envs.gui.sites.forum:ForumReport",
    "saccade/ForumChange-v0": "saccade.envs.gui.sites.forum:ForumChange",
    "saccade/SheetEnter-v0": "saccade.envs.gui.sites.sheet:SheetEnter",
    "saccade/SheetTotal-v0": "saccade.envs.gui.sites.sheet:SheetTotal",
    "saccade/SheetCorrect-v0": "saccade.envs.gui.sites.sheet:SheetCorrect",
    "saccade/MapNearest-v0": "saccade.envs.gui.sites.map:MapNearest",
    "saccade/MapRoute-v0": "saccade.envs.gui.sites.map:MapRoute",
    "saccade/MapKind-v0": "saccade.envs.gui.sites.map:MapKind",
    "saccade/SettingsSwitch-v0": "saccade.envs.gui.sites.settings:SettingsSwitch",
    "saccade/SettingsRestore-v0": "saccade.envs.gui.sites.settings:SettingsRestore",
    "saccade/SettingsProfile-v0": "saccade.envs.gui.sites.settings:SettingsProfile",
    "saccade/FilesRename-v0": "saccade.envs.gui.sites.files:FilesRename",
    "saccade/FilesMove-v0": "saccade.envs.gui.sites.files:FilesMove",
    "saccade/FilesDelete-v0": "saccade.envs.gui.sites.files:FilesDelete",
    "saccade/FilesFolder-v0": "saccade.envs.gui.sites.files:FilesFolder",
    "saccade/TwoPageForm-v0": "saccade.envs.gui.env:TwoPageForm",
    "saccade/MiniWoB-click-test-2-v0": "saccade.envs.gui.miniwob:ClickTest2",
    "saccade/Reach-v0": "saccade.envs.embodied.env:Reach",
    "saccade/Navigate-v0": "saccade.envs.embodied.env:Navigate",
    "saccade/Digits-v0": "saccade.envs.qa.env:Digits",
    "saccade/Shapes-v0": "saccade.envs.qa.env:Shapes",
}
"""Registered id -> "module:Class". A new environment is one file and one row here."""

YOURS: dict[str, str] = {
    "saccade/Grounding-v0": "saccade.envs.gui.grounding:Grounding",
    "saccade/WebArena-v0": "saccade.envs.gui.webarena:WebArena",
    "saccade/QA-v0": "saccade.envs.qa.data.env:QA",
}
"""The same for environments that need a file or a server of yours."""

for _id, _entry_point in (ENVIRONMENTS | YOURS).items():
    if _id not in gym.registry:
        gym.register(_id, entry_point=_entry_point)

for _task in TASKS:
    if f"saccade/MiniWoB-{_task}-v0" not in gym.registry:
        gym.register(f"saccade/MiniWoB-{_task}-v0", "saccade.envs.gui.miniwob:MiniWoB", kwargs={"task": _task})
