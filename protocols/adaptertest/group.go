package adaptertest

var groupChecks = []check{}
