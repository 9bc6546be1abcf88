// A plugin that names modules with versions: vendored, so that nothing is fetched.
package main

import "C"

import (
	"example.com/kept"
	"example.com/old"
)

//export sum
func sum(a, b C.int) C.int { return C.int(old.Add(int(a), kept.Same(int(b)))) }

func main() {}
