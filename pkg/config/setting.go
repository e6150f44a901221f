// This file describes the settings: what the tags of Config say of each.

package config

import (
	"fmt"
	"reflect"
	"strings"
	"time"

	"queue-worker/pkg/duration"
)

// setting is one variable, as the tags of its field in Config describe it.
type setting struct {
	field reflect.StructField
	name  string
	group string
	doc   string
	was   string
	zero  string
	oneof []string
}

// settings are all variables, in the order of the fields of Config.
var settings = describe()

func describe() []setting {
	var all []setting
	group := ""
	for field := range reflect.TypeFor[Config]().Fields() {
		tag := field.Tag
		name := tag.Get("env")
		if name == "" {
			continue
		}
		if g := tag.Get("group"); g != "" {
			group = g
		}
		s := setting{field: field, name: name, group: group, doc: tag.Get("doc"), was: tag.Get("was"), zero: tag.Get("zero")}
		if words := tag.Get("oneof"); words != "" {
			s.oneof = strings.Split(words, ",")
		}
		all = append(all, s)
	}
	return all
}

// standard is the default as it would be written.
func (s setting) standard() string {
	if value := s.field.Tag.Get("envDefault"); value != "" {
		return value
	}
	if s.zero != "" {
		return s.zero
	}
	return "not set"
}

// accepts says in words what may be written. Reports of problems and the page
// of settings use the same words.
func (s setting) accepts() string {
	if s.zero != "" {
		return s.zero + ", or " + s.form()
	}
	return s.form()
}

func (s setting) form() string {
	if s.oneof != nil {
		last := len(s.oneof) - 1
		return strings.Join(s.oneof[:last], ", ") + " or " + s.oneof[last]
	}
	if form := s.field.Tag.Get("form"); form != "" {
		return form
	}
	if s.field.Type.Kind() == reflect.Bool {
		return "true or false"
	}
	b := bounds[s.name]
	text := fmt.Sprintf("%s from %s to %s", s.noun(), s.write(b.min), s.write(b.max))
	if b.orZero && s.zero == "" {
		return "0, or " + text
	}
	return text
}

// noun says what kind of number the setting is.
func (s setting) noun() string {
	switch s.field.Type {
	case reflect.TypeFor[time.Duration]():
		return "a duration"
	case reflect.TypeFor[int64]():
		return "a size"
	}
	return "a whole number"
}

// write gives a number in the form in which the setting is written.
func (s setting) write(n int64) string {
	switch s.field.Type {
	case reflect.TypeFor[time.Duration]():
		return duration.Format(time.Duration(n))
	case reflect.TypeFor[int64]():
		return formatBytes(n)
	}
	return fmt.Sprint(n)
}
