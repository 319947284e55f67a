"""Static questions: data sets as single-step episodes, judged by rules."""
