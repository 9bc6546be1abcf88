module example.com/plugin

go 1.19

require (
	example.com/kept v1.0.0
	example.com/old v1.2.3
)

replace example.com/kept => example.com/fork v1.1.0
