"""Two made-up conversations with questions, so that the retrieval benchmark runs without any data.

Small, so its figures only tell whether the ranking works at all. The gold of a question are the
turns that answer it.
"""

from __future__ import annotations

# Session, time, speaker, what was said. The turns are numbered from 1 in this order.
TURNS = {
    "mara-teo": (
        ("a", "2023-03-04 18:20:00", "Mara", "Hi Teo! Long time no see, how was the move?"),
        ("a", "2023-03-04 18:20:00", "Teo", "Exhausting. We got the keys to the flat in Porto last "
         "Monday, and the piano is still on the stairs."),
        ("a", "2023-03-04 18:20:00", "Mara", "Oh no. Who helps you to carry it up?"),
        ("a", "2023-03-04 18:20:00", "Teo", "My cousin Rui, with two friends from rowing."),
        ("a", "2023-03-04 18:20:00", "Mara", "Nice. I started a pottery class at the old brewery."),
        ("a", "2023-03-04 18:20:00", "Teo", "Great! What are you making there?"),
        ("a", "2023-03-04 18:20:00", "Mara", "Bowls, mostly. One of them broke in the kiln."),
        ("b", "2023-05-21 09:05:00", "Teo", "Guess what, I passed the sailing exam yesterday!"),
        ("b", "2023-05-21 09:05:00", "Mara", "Congratulations! Was it hard?"),
        ("b", "2023-05-21 09:05:00", "Teo", "The knots were easy, steering at night was not."),
        ("b", "2023-05-21 09:05:00", "Mara", "I adopted a greyhound, her name is Pepper. She "
         "is afraid of the vacuum cleaner."),
        ("b", "2023-05-21 09:05:00", "Teo", "Poor thing. Does she get along with your cats?"),
        ("b", "2023-05-21 09:05:00", "Mara", "Only with the old one, the kittens chase her."),
        ("c", "2023-09-10 20:45:00", "Mara", "My sister married in Ljubljana two weeks ago."),
        ("c", "2023-09-10 20:45:00", "Teo", "Lovely! Did you give her one of your bowls?"),
        ("c", "2023-09-10 20:45:00", "Mara", "A whole set of blue plates. She cried a little."),
        ("c", "2023-09-10 20:45:00", "Teo", "I am allergic to walnuts, we found out at a "
         "party. The doctor gave me pills."),
        ("c", "2023-09-10 20:45:00", "Mara", "Take care! I sold my first vase at the market."),
    ),
    "lin-zhen": (
        ("a", "2024-01-15 10:00:00", "小林", "阿珍，好久不见！最近忙什么？"),
        ("a", "2024-01-15 10:00:00", "阿珍", "我上个月开始学法语，每周两次课。"),
        ("a", "2024-01-15 10:00:00", "小林", "真厉害，为什么想学法语？"),
        ("a", "2024-01-15 10:00:00", "阿珍", "公司要派我去里昂工作两年。"),
        ("a", "2024-01-15 10:00:00", "小林", "我养了一只橘猫，叫豆包，特别爱吃鱼干。"),
        ("a", "2024-01-15 10:00:00", "阿珍", "太可爱了，下次带照片来看看。"),
        ("b", "2024-03-02 19:30:00", "小林", "昨天我跑完了厦门马拉松！"),
        ("b", "2024-03-02 19:30:00", "阿珍", "恭喜！成绩怎么样？"),
        ("b", "2024-03-02 19:30:00", "小林", "四小时十二分，膝盖有点疼。"),
        ("b", "2024-03-02 19:30:00", "阿珍", "我把旧自行车卖给了邻居王叔叔。"),
        ("b", "2024-03-02 19:30:00", "小林", "那你现在怎么上班？"),
        ("b", "2024-03-02 19:30:00", "阿珍", "坐地铁，换乘一次，大概四十分钟。"),
    ),
}  # fmt: skip

# Conversation, question, category, the turns that answer it.
QUESTIONS = (
    ("mara-teo", "When did Teo get the keys to his new flat?", "temporal", (2,)),
    ("mara-teo", "Who carried the piano up the stairs?", "single-hop", (4,)),
    ("mara-teo", "What hobby did Mara take up at the brewery?", "single-hop", (5,)),
    ("mara-teo", "What did Mara make out of clay?", "multi-hop", (7, 16, 18)),
    ("mara-teo", "When did Teo pass his sailing exam?", "temporal", (8,)),
    ("mara-teo", "What was difficult for Teo in the exam?", "single-hop", (10,)),
    ("mara-teo", "What is the name of Mara's dog?", "single-hop", (11,)),
    ("mara-teo", "Which animals live with Mara?", "multi-hop", (11, 13)),
    ("mara-teo", "Where did Mara's sister get married?", "single-hop", (14,)),
    ("mara-teo", "What must Teo not eat?", "open-domain", (17,)),
    ("mara-teo", "What did Mara tell in May 2023?", "temporal", (9, 11, 13)),
    ("lin-zhen", "阿珍为什么学法语？", "single-hop", (4,)),
    ("lin-zhen", "小林的猫叫什么名字？", "single-hop", (5,)),
    ("lin-zhen", "小林什么时候跑了马拉松？", "temporal", (7,)),
    ("lin-zhen", "马拉松的成绩是多少？", "single-hop", (9,)),
    ("lin-zhen", "阿珍的自行车卖给了谁？", "single-hop", (10,)),
    ("lin-zhen", "阿珍坐什么上班？", "single-hop", (12,)),
)
