package kept

func Same(a int) int { return a }
