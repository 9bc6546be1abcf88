package old

func Add(a, b int) int { return a + b }
