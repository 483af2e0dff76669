variable "name" {
  description = "The role's name."
  type        = string
}

variable "provider_arn" {
  description = "The account's OIDC provider for GitHub."
  type        = string
}

variable "subjects" {
  description = "Which runs may take the role: repo:OWNER/NAME:environment:prod, repo:OWNER/NAME:ref:refs/heads/main."
  type        = list(string)

  validation {
    condition = length(var.subjects) > 0 && alltrue([
      for subject in var.subjects : can(regex("^repo:[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+:(environment:[a-z]+|ref:refs/heads/[A-Za-z0-9/_.-]+)$", subject))
    ])
    error_message = "A subject names one repository and one environment or branch, without *: any fork's run could match."
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
  })
  default = null

  validation {
    condition     = var.refresh != null || var.push != null
    error_message = "The role would have no permissions."
  }
}
