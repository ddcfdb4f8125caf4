package near

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/nearcache/nearcache/resp/client"
)

// Message is a turn of a conversation: Role is user, assistant, system …
type Message struct{ Role, Content string }

// maxBefore is how long a text may be that is compared by what it means: as long as the server takes one.
const maxBefore = 1 << 20

// Conversation is the question that the last of the messages asks. Those before it have to be the same for an answer to be
// shared. With similar, what the user and the assistant have said need only mean the same; what instructs the model, and a
// conversation that is too long to be compared, has to be the same as before.
//
// The client for Python makes the same of messages that are plain text: both share their answers.
func Conversation(messages []Message, similar bool) Prompt {
	if len(messages) == 0 {
		return Prompt{}
	}
	before, last := messages[:len(messages)-1], messages[len(messages)-1]
	p := Prompt{Text: last.Content}
	var fixed []any // role, content, and what a message of another client has beside
	for _, m := range before {
		fixed = append(fixed, m.Role, m.Content, "")
	}
	if last.Role != "user" { // what is asked is another thing
		fixed = append(fixed, "", "", `{"role": "`+last.Role+`"}`)
		similar = false
	}
	if similar {
		var said strings.Builder
		var instructions []any
		for _, m := range before {
			if m.Role != "user" && m.Role != "assistant" {
				instructions = append(instructions, m.Role, m.Content, "")
			}
		}
		for _, m := range slices.Backward(before) { // the last first, as models look at the beginning of a text most
			if m.Role == "user" || m.Role == "assistant" {
				said.WriteString(m.Content)
				said.WriteByte('\n')
			}
		}
		if said.Len() <= maxBefore {
			p.Before, fixed = said.String(), instructions
		}
	}
	if fixed != nil {
		out, _ := client.AppendCommand(nil, fixed...) // strings alone
		sum := sha256.Sum256(out)
		p.Context = hex.EncodeToString(sum[:16])
	}
	return p
}
