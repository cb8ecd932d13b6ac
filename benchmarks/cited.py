"""Sentences of answers and whether our documents support them, written by hand for cite()."""

from __future__ import annotations

DOCUMENTS = {
    "lighthouse.md": """# Harnoss Lighthouse

The Harnoss lighthouse was built in 1871 by the engineer Edda Storm. It stands 34 metres tall on a
granite cliff, and its lamp can be seen for 22 nautical miles. Until 1958 it was lit with kerosene;
since then it has been electric.

## Visits

The tower is open from May to September, every day except Monday. A ticket costs 6 euros for adults
and is free for children under twelve. Dogs are not allowed inside. Groups of more than fifteen
must book two weeks ahead by telephone.

## Keeper

The last keeper, Anton Rell, retired in 1994. He now runs the small museum in the village and
repairs clocks in the winter.
""",
    "pump.txt": """The P40 pump moves up to 40 litres a minute at a pressure of 3 bar. It must not
run dry: without water the seal fails within ninety seconds. Clean the inlet filter every month and
replace the seal once a year. The warranty covers two years of normal use, but not damage by frost.

If the red light blinks three times, the motor is too hot; switch the pump off and let it cool for
half an hour. A steady red light means that the filter is blocked. The pump increases its speed
when the pressure falls below 2 bar.
""",
    "茶园.md": """# 龙溪茶园

龙溪茶园位于杭州西南部,始建于1963年,占地120亩。茶园每年三月至五月采摘春茶,其中明前茶的产量只占全年的百分之八。

## 参观

茶园周二至周日上午九点开放,下午五点关闭。成人票价为30元,六岁以下儿童免费。园内禁止吸烟,也不允许带宠物进入。

## 制作

新鲜的茶叶先摊放六小时,然后在锅中炒制。炒茶师傅李建国在这里工作了二十八年,他的儿子负责网上销售。
""",
}
# (sentence, supported)
CASES = (
    ("The Harnoss lighthouse was built in 1871.", True),
    ("The engineer Edda Storm built it in 1871.", True),
    ("The lamp can be seen for 22 nautical miles.", True),
    ("The lighthouse has been electric since 1958.", True),
    ("The tower is open every day except Monday from May to September.", True),
    ("Children under twelve enter free.", True),
    ("Adults pay 6 euros for a ticket.", True),
    ("Dogs are not allowed in the tower.", True),
    ("Groups of more than fifteen people must book two weeks ahead.", True),
    ("Anton Rell, the last keeper, retired in 1994.", True),
    ("He repairs clocks in winter.", True),
    ("The pump moves up to 40 litres a minute.", True),
    ("The P40 must not run dry, because the seal fails within ninety seconds without water.", True),
    ("The inlet filter should be cleaned every month.", True),
    ("Damage by frost is not covered by the warranty.", True),
    ("A steady red light means the filter is blocked.", True),
    ("Three blinks of the red light mean that the motor is too hot.", True),
    ("Let the pump cool for half an hour.", True),
    ("When pressure drops under 2 bar, the pump speeds up.", True),
    ("龙溪茶园始建于1963年。", True),
    ("龙溪茶园占地120亩。", True),
    ("茶园位于杭州西南部。", True),
    ("成人票价是30元。", True),
    ("六岁以下的儿童免费。", True),
    ("园内禁止吸烟。", True),
    ("茶园不允许带宠物进入。", True),
    ("新鲜茶叶先摊放六小时。", True),
    ("李建国在这里工作了二十八年。", True),
    ("茶园每年三月至五月采摘春茶。", True),
    ("师傅的儿子负责网上销售。", True),
    ("茶叶先摊放六小时,再下锅炒制。", True),
    ("The Harnoss lighthouse was built in 1817.", False),
    ("The engineer Karl Storm built the lighthouse.", False),
    ("The lighthouse is 43 metres tall.", False),
    ("The lamp has been electric since 1985.", False),
    ("The tower is closed from May to September.", False),
    ("Dogs are allowed inside the tower.", False),
    ("A ticket costs 8 euros for adults.", False),
    ("Groups must book two weeks ahead by e-mail and pay a deposit.", False),
    ("Anton Rell became mayor of the village.", False),
    ("Edda Storm retired in 1994.", False),
    ("The lighthouse was damaged by a storm and rebuilt by volunteers.", False),
    ("The pump moves up to 60 litres a minute.", False),
    ("The warranty covers damage by frost.", False),
    ("The warranty covers three years of normal use.", False),
    ("The pump decreases its speed when the pressure falls below 2 bar.", False),
    ("A steady green light means that the filter is blocked.", False),
    ("The pump can run dry without harm.", False),
    ("The pump is made of stainless steel.", False),
    ("The seal must be replaced every month.", False),
    ("龙溪茶园始建于1936年。", False),
    ("龙溪茶园占地200亩。", False),
    ("茶园位于苏州西南部。", False),
    ("成人票价为50元。", False),
    ("园内允许吸烟。", False),
    ("茶园允许带宠物进入。", False),
    ("茶园周一上午九点开放。", False),
    ("李建国的女儿负责网上销售。", False),
    ("茶园出产的红茶出口到欧洲。", False),
    ("新鲜的茶叶先在阳光下晒两天。", False),
    ("王建国在这里工作了二十八年。", False),
    ("六岁以下儿童收费。", False),
)
# (question, document, the words that answer it)
QUESTIONS = (
    ("When was the lighthouse built?", "lighthouse.md", "was built in 1871"),
    ("How far can the lamp be seen?", "lighthouse.md", "22 nautical miles"),
    ("What does a ticket for the tower cost?", "lighthouse.md", "costs 6 euros"),
    ("Who was the last keeper?", "lighthouse.md", "Anton Rell"),
    ("How often should I clean the filter of the pump?", "pump.txt", "every month"),
    ("What does a steady red light mean?", "pump.txt", "the filter is blocked"),
    ("What happens when the pump runs without water?", "pump.txt", "the seal fails"),
    ("茶园占地多少亩?", "茶园.md", "占地120亩"),
    ("成人票多少钱?", "茶园.md", "成人票价为30元"),
    ("炒茶师傅工作了多少年?", "茶园.md", "二十八年"),
)
