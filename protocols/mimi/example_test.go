package mimi_test

import (
	"fmt"

	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// A follower finds the hub's endpoint and reads what came back.
func Example() {
	directory, err := mimi.ParseDirectory([]byte(`{"submitMessage": "https://mimi.hub.example/v1/submitMessage/{roomId}"}`))
	if err != nil {
		panic(err)
	}
	template, err := directory.Template(mimi.EndpointSubmitMessage)
	if err != nil {
		panic(err)
	}
	fmt.Println(template.Expand("mimi://hub.example/r/clubhouse"))
	fmt.Println("From:", mimi.From("a.example"))

	body, err := wire.Marshal(&mimi.SubmitMessageResponse{StatusCode: mimi.SubmitEpochTooOld, CurrentEpoch: 7})
	if err != nil {
		panic(err)
	}
	endpoint, _ := mimi.FindEndpoint(mimi.EndpointSubmitMessage)
	response, err := endpoint.ParseResponse(body, nil)
	if err != nil {
		panic(err)
	}
	fmt.Println(mimi.Describe(response))
	// Output:
	// https://mimi.hub.example/v1/submitMessage/mimi%3A%2F%2Fhub.example%2Fr%2Fclubhouse
	// From: mimi@a.example
	// SubmitMessageResponse: epochTooOld, epoch is 7
}
