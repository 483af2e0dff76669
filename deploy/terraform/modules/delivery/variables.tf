variable "name" {
  description = "The role's name."
  type        = string
}

variable "provider_arn" {
  description = "The account's OIDC provider for GitHub."
  type        = string
}

variable "github" {
  description = "Repository on GitHub: OWNER/NAME, or OWNER@ID/NAME@ID, which excludes a later repository of the same name."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+$|^[A-Za-z0-9_.-]+@[0-9]+/[A-Za-z0-9_.-]+@[0-9]+$", var.github))
    error_message = "OWNER/NAME or OWNER@ID/NAME@ID, without *."
  }
}

variable "runs" {
  description = "Runs of the repository that may assume the role: environment:prod, ref:refs/heads/main, pull_request."
  type        = list(string)

  validation {
    condition = length(var.runs) > 0 && alltrue([
      for run in var.runs : can(regex("^(environment:[a-z]+|pull_request|ref:refs/heads/[A-Za-z0-9/_.-]+)$", run))
    ])
    error_message = "A run is given by one environment, one branch or pull_request, without *. GitHub gives a fork's pull request no token."
  }
}

variable "push" {
  description = "The only repository to push images to; none: no permission to push."
  type        = object({ repository_arn = string })
  default     = null
}

variable "refresh" {
  description = "The only group to refresh, with its resources; none: no permission to refresh."
  type = object({
    group_name          = string
    launch_template_arn = string
    image_parameter_arn = string
    instance_role_arn   = string
    repository_arn      = string
  })
  default = null

  validation {
    condition     = var.refresh != null || var.push != null || var.service != null || length(var.managed_policies) > 0
    error_message = "The role would have no permissions."
  }
}

variable "service" {
  description = "The only service of ECS to deploy to, with the roles of its tasks; none: no permission to deploy."
  type = object({
    arn                 = string
    cluster_name        = string
    role_arns           = list(string)
    image_parameter_arn = string
    repository_arn      = string
  })
  default = null
}

variable "managed_policies" {
  description = "Names of AWS's own policies that the role gets, such as ReadOnlyAccess."
  type        = list(string)
  default     = []
}

variable "state" {
  description = "Bucket of Terraform's state and its key, which the role may read; none: no access to them."
  type        = object({ bucket_arn = string, kms_key_arn = string })
  default     = null
}
