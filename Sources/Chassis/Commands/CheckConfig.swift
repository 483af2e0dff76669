import ArgumentParser

/// `check-config`: prints the configuration in force, and every error at once.
struct CheckConfig: ParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "check-config",
            abstract: "Prints the configuration in force, secrets redacted, and everything that is wrong with it.",
            discussion: """
                Prints NAME=value, one variable a line. Warnings and errors go to standard error.
                Exits 0 when `\(Service.current.name) serve` would accept the configuration, else 78.
                """)
    }

    func run() throws {
        // First, before the process opens a descriptor.
        let (_, managerErrors) = ServiceManager.examine()
        let unused = CurrentProcess.removeLibraryVariables()
        let (configuration, ownErrors) = Configuration.examine(for: .current)
        let errors = ownErrors + managerErrors
        for line in configuration.lines { print(line) }
        var standardError = StandardError()
        for warning in configuration.warnings + unused { print("warning: \(warning)", to: &standardError) }
        guard errors.isEmpty else { throw ConfigurationErrors(errors: errors).reported() }
    }
}

extension ConfigurationErrors {
    /// Writes a line for each error to standard error.
    ///
    /// - Returns: the exit status to throw.
    func reported() -> ExitCode {
        var standardError = StandardError()
        for error in errors { print("error: \(error)", to: &standardError) }
        return ExitCode(Self.exitStatus)
    }
}
