import ArgumentParser

/// The command line of the service that runs.
struct ServiceCommand: ParsableCommand {
    static var configuration: CommandConfiguration {
        let service = Service.current
        let build = BuildInfo(of: service)
        return CommandConfiguration(
            commandName: service.name,
            abstract: service.summary,
            discussion: """
                Everything is set by environment variables: `\(service.name) check-config` lists them with the values in force.
                A bad value ends a command with exit status 78, naming every bad variable at once.
                """,
            version: "\(service.name) \(build.version) (commit \(build.commit), Swift \(BuildInfo.swift))",
            subcommands: [Serve.self, Migrate.self, Healthcheck.self, CheckConfig.self, ShowSecret.self])
    }

    /// Runs the command that the process was called with.
    static func run() {
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
