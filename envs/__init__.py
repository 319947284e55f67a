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
    "saccade/TwoPageForm-v0": "saccade.envs.gui.form:TwoPageForm",
    "saccade/MiniWoB-click-test-2-v0": "saccade.envs.gui.miniwob:ClickTest2",
    "saccade/Reach-v0": "saccade.envs.embodied.env:Reach",
    "saccade/Navigate-v0": "saccade.envs.embodied.env:Navigate",
    "saccade/PushTo-v0": "saccade.envs.embodied.arm.push:PushTo",
    "saccade/PickUp-v0": "saccade.envs.embodied.arm.pick:PickUp",
    "saccade/PlaceOn-v0": "saccade.envs.embodied.arm.place:PlaceOn",
    "saccade/StackUp-v0": "saccade.envs.embodied.arm.place:StackUp",
    "saccade/PutIn-v0": "saccade.envs.embodied.arm.place:PutIn",
    "saccade/SortColours-v0": "saccade.envs.embodied.arm.place:SortColours",
    "saccade/OpenDrawer-v0": "saccade.envs.embodied.arm.work:OpenDrawer",
    "saccade/PressButton-v0": "saccade.envs.embodied.arm.work:PressButton",
    "saccade/TurnKnob-v0": "saccade.envs.embodied.arm.work:TurnKnob",
    "saccade/GoTo-v0": "saccade.envs.embodied.rover.errands:GoTo",
    "saccade/GoToRoom-v0": "saccade.envs.embodied.rover.errands:GoToRoom",
    "saccade/Avoid-v0": "saccade.envs.embodied.rover.errands:Avoid",
    "saccade/Fetch-v0": "saccade.envs.embodied.rover.errands:Fetch",
    "saccade/Explore-v0": "saccade.envs.embodied.rover.surveys:Explore",
    "saccade/BehindWall-v0": "saccade.envs.embodied.rover.surveys:BehindWall",
    "saccade/Digits-v0": "saccade.envs.qa.env:Digits",
    "saccade/Shapes-v0": "saccade.envs.qa.env:Shapes",
}
"""Registered id -> "module:Class". A new environment is one file and one row here."""

FAMILIES: dict[str, str] = {
    "things": "Counting Superlatives Relations OddOneOut",
    "geometry": "Angles Areas SimilarTriangles",
    "plots": "Formulas FunctionValues",
    "charts": "BarCharts LineCharts PieCharts Tables",
    "instruments": "Clocks Dials",
    "grids": "Mazes Walks RoadMaps",
    "puzzles": "LatinSquares Patterns Jigsaws DigitSums",
    "frames": "Motions Orders Blinks",
    "sounds": "Beeps Tunes",
    "pages": "PagePoint SignReading",
    "physics": "Levers Ramps Pulleys",
}
"""Module of generated questions -> its classes, each registered under its own name."""

ENVIRONMENTS |= {
    f"saccade/{name}-v0": f"saccade.envs.qa.families.{module}:{name}"
    for module, names in FAMILIES.items()
    for name in names.split()
}

YOURS: dict[str, str] = {
    "saccade/Grounding-v0": "saccade.envs.gui.grounding:Grounding",
    "saccade/WebArena-v0": "saccade.envs.gui.webarena:WebArena",
    "saccade/Gym-v0": "saccade.envs.bridge:Bridge",
    "saccade/QA-v0": "saccade.envs.qa.data.env:QA",
}
"""The same for environments that need a file, a server or an environment of yours."""

for _id, _entry_point in (ENVIRONMENTS | YOURS).items():
    if _id not in gym.registry:
        gym.register(_id, entry_point=_entry_point)

for _task in TASKS:
    if f"saccade/MiniWoB-{_task}-v0" not in gym.registry:
        gym.register(f"saccade/MiniWoB-{_task}-v0", "saccade.envs.gui.miniwob:MiniWoB", kwargs={"task": _task})
