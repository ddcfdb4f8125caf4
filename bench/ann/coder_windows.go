package ann

import "errors"

func openCoder(*options, *set) (engine, error) {
	return nil, errors.New("github.com/coder/hnsw is not made for Windows")
}
