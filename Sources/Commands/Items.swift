import ArgumentParser
import Items

/// `items`: named `ItemsCommand`, because a type named like the module it imports would hide it.
@main
struct ItemsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "items",
        abstract: "Serves items over HTTP from PostgreSQL.",
        discussion: """
            Everything is set by environment variables: `items check-config` lists them with the values in force.
            A bad value ends a command with exit status 78, naming every bad variable at once.
            """,
        version: "items \(BuildInfo.version) (commit \(BuildInfo.commit), Swift \(BuildInfo.swift))",
        subcommands: [Serve.self, Migrate.self, Healthcheck.self, CheckConfig.self, ShowSecret.self])

    static func main() {
        CurrentProcess.openStandardDescriptors()
        do {
            var command = try parseAsRoot(CurrentProcess.arguments)
            if !(command is Serve || command is Migrate) { StopSignals.release() }
            try command.run()
        } catch { exit(withError: error) }
    }

    /// Without a command: a health check that lost its arguments must not pass for one that succeeded.
    func run() throws {
        var standardError = StandardError()
        print(Self.helpMessage(), to: &standardError)
        throw ExitCode.validationFailure
    }
}
