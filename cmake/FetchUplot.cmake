# Fetches npm's uPlot, in the version and with the checksum of web/package-lock.json, into the build folder: once for each lock
# file, when it is configured. Sets UPLOT_DIR. Any npm will do; it runs no scripts.
set(npm_dir ${PROJECT_BINARY_DIR}/web)
set(npm_lock ${PROJECT_SOURCE_DIR}/web/package-lock.json)
set(UPLOT_DIR ${npm_dir}/node_modules/uplot/dist)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${npm_lock})
file(SHA256 ${npm_lock} lock_hash)
if(NOT EXISTS ${npm_dir}/${lock_hash}.done)
  find_program(NPM npm)
  if(NOT NPM)
    message(FATAL_ERROR "The page's charts come from npm, which is not installed (apt-get install nodejs npm). "
                        "-DWEB_UI=OFF builds cloud_alertd without its page.")
  endif()
  file(COPY ${PROJECT_SOURCE_DIR}/web/package.json ${npm_lock} DESTINATION ${npm_dir})
  execute_process(
    COMMAND ${NPM} ci --ignore-scripts --no-audit --no-fund --fetch-retries=1 --fetch-timeout=30000
    WORKING_DIRECTORY ${npm_dir} RESULT_VARIABLE npm_code OUTPUT_VARIABLE npm_said ERROR_VARIABLE npm_said)
  if(NOT npm_code EQUAL 0)
    message(FATAL_ERROR "npm could not fetch the page's charts (uPlot):\n${npm_said}\n"
                        "-DWEB_UI=OFF builds cloud_alertd without its page.")
  endif()
  file(TOUCH ${npm_dir}/${lock_hash}.done)
endif()
