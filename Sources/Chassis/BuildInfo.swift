private import FoundationEssentials

/// What was built: shown by `--version` and on `/`, and the labels of `build_info`.
struct BuildInfo {
    /// The release, as semver.org has it.
    let version: String
    /// The commit it was built from, as the service's variable for it names it at run time; `unknown` without.
    let commit: String

    init(of service: Service) {
        version = service.version
        let given = ProcessInfo.processInfo.environment[Self.commitVariable(of: service)] ?? ""
        commit = given.isEmpty ? "unknown" : given
    }

    /// `ORDERS_COMMIT` of a service that is called `orders`.
    static func commitVariable(of service: Service) -> String { service.name.uppercased() + "_COMMIT" }

    /// The compiler's series.
    static let swift: String = {
        #if compiler(>=6.4)
            "6.4 or later"
        #elseif compiler(>=6.3)
            "6.3"
        #else
            "6.2"
        #endif
    }()
}
