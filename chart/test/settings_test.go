package chart

import (
	"os"
	"strings"
	"testing"
)

func TestEverySettingThatTheChartWritesIsOne(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/settings.md")
	if err != nil {
		t.Fatal(err)
	}
	for name := range render(t, withImage("nats: {external: {enabled: true, host: h}}\ngateway: {url: 'http://g'}")).env(t) {
		if !strings.Contains(string(page), "| `"+name+"` |") && !strings.Contains(string(page), "| "+name+" |") {
			t.Errorf("docs/settings.md has no line for %s", name)
		}
	}
}
