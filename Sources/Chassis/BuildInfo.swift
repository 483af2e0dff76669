private import FoundationEssentials

/// The build's identity: shown by `--version` and on `/`, and in the labels of `build_info`.
struct BuildInfo {
    /// The release, in the form of semver.org.
    let version: String
    /// The commit of the build, from the service's variable at run time; `unknown` if it is unset.
    let commit: String

    init(of service: Service) {
        version = service.version
        let given = ProcessInfo.processInfo.environment[Self.commitVariable(of: service)] ?? ""
        commit = given.isEmpty ? "unknown" : given
    }

    /// `ORDERS_COMMIT` for a service called `orders`.
    static func commitVariable(of service: Service) -> String { service.name.uppercased() + "_COMMIT" }

    /// The compiler's release series.
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
