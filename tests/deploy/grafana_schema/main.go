// Reads a dashboard by Grafana's own schema of dashboards, panels and queries. Every field that is unknown, of a wrong
// type or missing is a line on standard output, and the exit code is 1.
package main

import (
	"fmt"
	"os"

	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

func main() {
	plugins.RegisterDefaultPlugins()
	raw, err := os.ReadFile(os.Args[1])
	var found dashboard.Dashboard
	for _, step := range []func() error{
		func() error { return err },
		func() error { return found.UnmarshalJSONStrict(raw) },
		func() error { return found.Validate() },
	} {
		// the schema's list of errors is no nil when it is empty
		if wrong := step(); wrong != nil && wrong.Error() != "" {
			fmt.Println(wrong)
			os.Exit(1)
		}
	}
}
