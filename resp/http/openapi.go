package http

import (
	"encoding/json"
	"reflect"
	"regexp"
	"strconv"
	"strings"
)

// openAPI is the description of all routes, in OpenAPI 3.1.
func openAPI() []byte {
	paths := map[string]any{}
	for i := range routes {
		r := &routes[i]
		path := strings.ReplaceAll(r.Path, "...}", "}")
		at, _ := paths[path].(map[string]any)
		if at == nil {
			at = map[string]any{}
			paths[path] = at
		}
		at[strings.ToLower(r.Method)] = r.operation()
	}
	b, err := json.MarshalIndent(map[string]any{
		"openapi": "3.1.0",
		"info": map[string]any{
			"title": "nearcache", "version": "1",
			"description": "A semantic cache: LangCache's REST API, and a caching proxy for APIs like OpenAI's.",
			"license":     map[string]any{"name": "Apache-2.0", "identifier": "Apache-2.0"},
		},
		"paths":    paths,
		"security": []any{map[string]any{"key": []any{}}},
		"components": map[string]any{
			"securitySchemes": map[string]any{"key": map[string]any{"type": "http", "scheme": "bearer"}},
			"schemas":         map[string]any{"problem": schemaOf(reflect.TypeFor[problem]()), "error": schemaOf(reflect.TypeFor[apiError]())},
		},
	}, "", " ")
	if err != nil {
		panic(err) // it is made of maps and strings
	}
	return append(b, '\n')
}

var pathParameter = regexp.MustCompile(`\{(\w+)(\.\.\.)?\}`)

func (r *route) operation() map[string]any {
	op := map[string]any{"operationId": r.Name, "summary": r.Summary, "tags": []string{apiNames[r.API]}}
	if r.Open {
		op["security"] = []any{}
	}
	var parameters []any
	for _, m := range pathParameter.FindAllStringSubmatch(r.Path, -1) {
		parameters = append(parameters, map[string]any{"name": m[1], "in": "path", "required": true, "schema": map[string]any{"type": "string"}})
	}
	if r.Cached {
		for _, h := range []struct{ name, what string }{
			{"Cache-Control", "no-cache: not from the cache; no-store: not into it, either"},
			{headerMode, "both, exact, semantic or bypass"},
			{headerTTL, "seconds that the answer is kept"},
			{headerThreshold, "least cosine of a prompt that means the same"},
			{headerContext, "exact: what came before the last message has to be the same; similar: what was said has to mean the same, and instructions to be the same"},
			{headerScope, "name=value,… that separates answers"},
		} {
			parameters = append(parameters, map[string]any{"name": h.name, "in": "header", "description": h.what, "schema": map[string]any{"type": "string"}})
		}
	}
	if parameters != nil {
		op["parameters"] = parameters
	}
	body := func(v any) map[string]any {
		return map[string]any{"application/json": map[string]any{"schema": schemaOf(reflect.TypeOf(v))}}
	}
	if r.Request != nil {
		op["requestBody"] = map[string]any{"required": true, "content": body(r.Request)}
	}
	success := map[string]any{"description": "success"}
	switch {
	case r.Reply != nil:
		content := body(r.Reply)
		if r.Cached {
			content["text/event-stream"] = map[string]any{"schema": map[string]any{"type": "string"}}
		}
		success["content"] = content
	case r.Text != "":
		success["content"] = map[string]any{"text/plain": map[string]any{"schema": map[string]any{"type": "string"}}}
	}
	if r.API == openAIAPI {
		headers := map[string]any{}
		for _, h := range []struct{ name, what string }{
			{headerCache, "exact, semantic, miss or bypass"},
			{headerSimilarity, "cosine with the prompt of the entry"},
			{headerConfidence, "that the answer is right"},
			{headerID, "of the entry"},
			{headerReason, "why the answer does not come from the cache"},
		} {
			headers[h.name] = map[string]any{"description": h.what, "schema": map[string]any{"type": "string"}}
		}
		success["headers"] = headers
	}
	responses := map[string]any{strconv.Itoa(r.Status): success}
	schema := "problem"
	if r.API == openAIAPI {
		schema = "error"
	}
	for _, status := range r.Errors {
		x := map[string]any{"description": problems[status].Title}
		if status == 502 || status == 504 {
			x["description"] = "Upstream has not answered"
		}
		if status == 503 {
			x["description"] = "Nothing can be stored"
			x["content"] = body(r.Reply)
		} else {
			x["content"] = map[string]any{"application/json": map[string]any{"schema": map[string]any{"$ref": "#/components/schemas/" + schema}}}
		}
		responses[strconv.Itoa(status)] = x
	}
	op["responses"] = responses
	return op
}

// schemaOf is the JSON Schema of a type. What is no pointer and has no omitempty is
// required, and so are a prompt and a response, which are pointers so that their
// absence shows.
func schemaOf(t reflect.Type) map[string]any {
	switch t.Kind() {
	case reflect.Pointer:
		return schemaOf(t.Elem())
	case reflect.String:
		if t == reflect.TypeFor[json.Number]() {
			return map[string]any{"type": "number"}
		}
		return map[string]any{"type": "string"}
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	case reflect.Int, reflect.Int64:
		return map[string]any{"type": "integer"}
	case reflect.Float64:
		return map[string]any{"type": "number"}
	case reflect.Slice:
		if t == reflect.TypeFor[json.RawMessage]() {
			return map[string]any{}
		}
		return map[string]any{"type": "array", "items": schemaOf(t.Elem())}
	case reflect.Map:
		return map[string]any{"type": "object", "additionalProperties": schemaOf(t.Elem())}
	case reflect.Struct:
		properties := map[string]any{}
		required := []string{}
		addFields(t, properties, &required)
		return map[string]any{"type": "object", "properties": properties, "required": required}
	}
	return map[string]any{}
}

func addFields(t reflect.Type, properties map[string]any, required *[]string) {
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Anonymous {
			addFields(f.Type, properties, required)
			continue
		}
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		properties[name] = schemaOf(f.Type)
		if options != "omitempty" {
			*required = append(*required, name)
		}
	}
}
