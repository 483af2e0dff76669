private import FoundationEssentials

/// What was built: shown by `items --version` and on `/`, and the labels of `build_info`.
public enum BuildInfo {
    /// The release, as semver.org has it.
    public static let version = "0.1.0"

    /// The commit it was built from, as `ITEMS_COMMIT` names it at run time; `unknown` without.
    public static let commit: String = {
        let given = ProcessInfo.processInfo.environment["ITEMS_COMMIT"] ?? ""
        return given.isEmpty ? "unknown" : given
    }()

    /// The compiler's series.
    public static let swift: String = {
        #if compiler(>=6.4)
            "6.4 or later"
        #elseif compiler(>=6.3)
            "6.3"
        #else
            "6.2"
        #endif
    }()
}
