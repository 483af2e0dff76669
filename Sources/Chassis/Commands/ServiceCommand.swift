import ArgumentParser

/// The command line of the running service.
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

    /// Runs the command in the process's arguments.
    static func run() {
        CurrentProcess.openStandardDescriptors()
        do {
            var command = try parseAsRoot(CurrentProcess.arguments)
            if !(command is Serve || command is Migrate) { StopSignals.release() }
            try command.run()
        } catch { exit(withError: error) }
    }

    /// Runs without a command, and fails: a health check that lost its arguments must not succeed.
    func run() throws {
        var standardError = StandardError()
        print(Self.helpMessage(), to: &standardError)
        throw ExitCode.validationFailure
    }
}
